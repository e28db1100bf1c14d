"""Distribution by Citus: refused in words where it is not; its statements, run against functions that stand for it."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from monitors.models import Partition
from monitors.series import partitions, sizes
from monitors.series.distributed import TABLES
from tests.monitors.clock import NOW

pytestmark = pytest.mark.django_db


def said(*options: str) -> str:
    out = StringIO()
    call_command("distribute_samples", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def citus(db: None) -> None:
    """What of Citus the command uses: it notes what is distributed, by what, with what."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE TABLE pg_dist_partition (logicalrelid regclass, partkey text, beside text);
            CREATE FUNCTION create_distributed_table(
              table_name regclass, distribution_column text, colocate_with text DEFAULT 'default') RETURNS void
            LANGUAGE sql AS 'INSERT INTO pg_dist_partition VALUES ($1, $2, $3)';
            CREATE FUNCTION citus_total_relation_size(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 5000000000';
            CREATE FUNCTION citus_relation_size(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 4000000000'"""
        )


def test_it_refuses_politely_where_citus_is_not(db: None) -> None:
    with pytest.raises(CommandError) as refusal:
        said()
    assert refusal.value.returncode == 1
    assert "no citus extension" in str(refusal.value)
    assert "DATABASE_URL" in str(refusal.value)
    assert "Nothing was changed" in str(refusal.value)


def test_it_prints_what_it_would_run_and_that_can_be_run(citus: None) -> None:
    statements = said("--sql")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_dist_partition")
        assert cursor.fetchone() == (0,), "printing runs nothing"
        cursor.execute(statements)
        cursor.execute("SELECT logicalrelid::text, partkey, beside FROM pg_dist_partition")
        assert cursor.fetchall() == [
            (table, "monitor_id", "default" if table == "monitors_group" else "monitors_group") for table in TABLES
        ]


def test_it_distributes_groups_and_samples_once(citus: None) -> None:
    lines = said().splitlines()
    assert lines == [f"{table}: distributed by monitor_id" for table in TABLES]
    assert "already" in said()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_dist_partition")
        assert cursor.fetchone() == (7,), "the state of pulls and the queue stay where they are"


def test_it_counts_bytes_on_all_servers(citus: None) -> None:
    partitions.ensure(60, {NOW})
    (before,) = sizes.stored()
    assert before.size < 1_000_000
    said()
    (after,) = sizes.stored()
    assert (after.size, after.is_empty) == (5_000_000_000, False)
    assert Partition.objects.count() == 1


def test_it_goes_on_where_it_was_cut_short(citus: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT create_distributed_table('monitors_group', 'monitor_id')")
    assert len(said().splitlines()) == len(TABLES) - 1


@pytest.mark.parametrize("table", TABLES)
def test_it_has_the_monitor_in_every_unique_key(db: None, table: str) -> None:
    """Citus distributes no table with a unique key that lacks the column."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_and(a.attnum = ANY(i.indkey)) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
            " WHERE i.indrelid = %s::regclass AND i.indisunique AND a.attname = 'monitor_id'",
            [table],
        )
        assert cursor.fetchone() == (True,)
