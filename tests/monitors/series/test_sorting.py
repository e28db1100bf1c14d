"""Closed days are rewritten in the order of groups; what is written meanwhile, or who is killed, harms nothing."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.db import connection

from monitors.models import Monitor, Partition, Pull
from monitors.series.rollup import roll_up
from monitors.series.sorting import sort_at_night, sort_one
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import rows, totals
from tests.monitors.stub_node import StubNode
from tests.source import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
DAY = 86_400
LATER = NOW + 2 * DAY
NAME = "samples_60_20251009"
ASKED = ("bytes_client", "response_time")


@pytest.fixture
def minutes(stub: StubNode, make_monitor: Callable[..., Monitor]) -> Monitor:
    """An hour of three clients by a monitor of one minute, pulled in three goes and rolled up."""
    monitor = make_monitor(resolution=60, interval_s=60)
    for goes in (1, 2, 3):
        for t in range(NOW - 3600 + 1200 * (goes - 1), NOW - 3600 + 1200 * goes, 60):
            for client in (1, 2, 3):
                stub.add(t, client=f"10.0.0.{client}", bytes_client=client, response_time=[1_000_000])
        stub.complete_until = NOW - 3600 + 1200 * goes
        pull(NOW + 100 * goes)
    roll_up(NOW + 3 * DAY)
    long_ago()
    return monitor


def long_ago() -> None:
    """What was written was written in good time."""
    Partition.objects.update(last_write=dt.datetime.fromtimestamp(NOW, dt.UTC))


def on_disk() -> list[tuple[int, int]]:
    """(group, second) in the order in which rows lie there."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT group_id, extract(epoch FROM t)::bigint FROM {NAME} ORDER BY ctid")
        return cursor.fetchall()


def left_over() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname ~ '_(sorted|writes)$' AND relkind IN ('r', 'S')")
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname = 'samples_note_write'")
        return tables + [name for (name,) in cursor.fetchall()]


def test_it_sorts_a_closed_day_and_loses_nothing(minutes: Monitor) -> None:
    before = rows(minutes, 60, *ASKED)
    assert on_disk() != sorted(on_disk())
    assert sort_one(LATER) == NAME
    assert on_disk() == sorted(on_disk())
    assert rows(minutes, 60, *ASKED) == before
    assert left_over() == []
    assert Partition.objects.get(step=60, dropped=None).sorted_at is not None
    assert sort_one(LATER) is None, "once is enough"


def test_it_keeps_keys_and_indexes(minutes: Monitor) -> None:
    def indexes() -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING', i.indisunique::text)"
                " FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid WHERE i.indrelid = %s::regclass",
                [NAME],
            )
            return {text for (text,) in cursor.fetchall()}

    before = indexes()
    sort_one(LATER)
    assert indexes() == before != set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = %s", [NAME])
        assert "toast_tuple_target=8160" in cursor.fetchone()[0]


def test_it_throws_the_copy_away_when_rows_come_meanwhile(minutes: Monitor, stub: StubNode) -> None:
    def late() -> None:
        stub.add(NOW + 30, bytes_client=100)
        stub.complete_until = NOW + 60
        pull(NOW + 900)

    assert sort_one(LATER, before_swap=late) is None
    assert totals(minutes, 60)[NOW] == 100
    assert left_over() == []
    long_ago()
    assert sort_one(LATER) == NAME
    assert totals(minutes, 60)[NOW] == 100


def test_it_takes_late_rows_afterwards(minutes: Monitor, stub: StubNode) -> None:
    sort_one(LATER)
    stub.add(NOW + 10, bytes_client=100)
    stub.complete_until = NOW + 60
    pull(NOW + 900)
    roll_up(NOW + 3 * DAY)
    assert totals(minutes, 60)[NOW] == 100
    assert sum(totals(minutes, DAY).values()) == 60 * 6 + 100


def test_it_clears_up_after_one_that_was_killed(minutes: Monitor) -> None:
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}?host={database['HOST']}"
    die = "import django, os; django.setup(); from monitors.series.sorting import sort_one; "
    killed = subprocess.run(
        [sys.executable, "-c", f"{die}sort_one({LATER}, before_swap=lambda: os._exit(9))"],
        env=os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "cclear.settings"},
        cwd=ROOT,
        check=False,
    )
    assert killed.returncode == 9
    assert len(left_over()) == 3
    before = rows(minutes, 60, *ASKED)
    assert sort_one(LATER) == NAME
    assert rows(minutes, 60, *ASKED) == before
    assert left_over() == []


def test_it_leaves_alone_what_is_open_and_what_nobody_writes_by_the_minute(
    minutes: Monitor, stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    assert sort_one(NOW + 3600) is None, "the day is not over"
    Pull.objects.all().delete()
    Monitor.objects.all().delete()
    assert sort_one(LATER) is None


def test_it_works_at_night(minutes: Monitor) -> None:
    noon = LATER // DAY * DAY + DAY // 2
    assert sort_at_night(noon) is None
    assert sort_at_night(noon + DAY // 2 + 2 * 3600) == NAME
