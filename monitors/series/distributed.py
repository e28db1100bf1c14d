"""Samples distributed by monitor over several servers with Citus, where that extension is present.

Every key of these tables begins with the monitor, so a monitor's groups and samples lie together on one server and
its joins and roll-ups stay there. All else is small and stays where it is: nodes, monitors, the state of pulls, the
queue of roll-ups.
"""

from __future__ import annotations

from django.db import connection

from monitors.series.tiers import STEPS, table_of

BY = "monitor_id"
FIRST = "monitors_group"
TABLES = (FIRST, *(table_of(step) for step in STEPS))


class CannotDistribute(Exception):
    """Why not, and what to do."""


def statements() -> dict[str, str]:
    """Table -> what distributes it; partitions follow their table, those made later too."""
    found = {FIRST: f"SELECT create_distributed_table('{FIRST}', '{BY}')"}
    for table in TABLES[1:]:
        found[table] = f"SELECT create_distributed_table('{table}', '{BY}', colocate_with => '{FIRST}')"
    return found


def distribute() -> list[str]:
    """Distribute what is not yet; the tables that now are. One by one: what was done stays done."""
    _check()
    done = distributed()
    left = {table: sql for table, sql in statements().items() if table not in done}
    for sql in left.values():
        with connection.cursor() as cursor:
            cursor.execute(sql)
    return list(left)


def distributed() -> set[str]:
    """Our tables that are distributed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_dist_partition') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return set()
        cursor.execute(
            "SELECT c.relname FROM pg_dist_partition d JOIN pg_class c ON c.oid = d.logicalrelid"
            " WHERE c.relname = ANY(%s)",
            [list(TABLES)],
        )
        return {name for (name,) in cursor.fetchall()}


def _check() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regproc('create_distributed_table') IS NOT NULL")
        if cursor.fetchone()[0]:
            return
        cursor.execute("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citus')")
        is_installed = cursor.fetchone()[0]
    if is_installed:
        raise CannotDistribute(
            "The citus extension is installed on the server but not in this database. Run CREATE EXTENSION citus as a"
            " superuser, add the workers with citus_add_node, then come again."
        )
    raise CannotDistribute(
        "This PostgreSQL has no citus extension, so the samples stay on one server, which is fine for most sites. To"
        " spread them over several: point DATABASE_URL at a PostgreSQL with Citus (shared_preload_libraries = 'citus'),"
        " run migrate there, then come again. Nothing was changed."
    )
