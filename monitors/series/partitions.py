"""Time partitions of the samples tables: made when a row needs one, and a little ahead; noted with their last write.

A partition is created beside its table and attached, which blocks neither readers nor writers (CREATE TABLE ...
PARTITION OF would lock the whole table).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable
from typing import Any

from django.db import connection, transaction

from monitors.models import Partition
from monitors.series.tiers import RESOLUTIONS, STEPS, UTC, partition_name, partition_span, table_of

# Any fixed number: one process at a time makes or drops partitions.
LOCK = 0x63436C_01
TOUCH_S = 60.0
# A wide row stays in its page up to 8 kB; TOAST would move its histograms away and compress them.
STORAGE = "toast_tuple_target = 8160, fillfactor = 100"
# The finest tiers only grow until they are dropped: walking them again and again as they do would gain nothing.
GROWING = ", autovacuum_vacuum_insert_threshold = -1"

_touched: dict[tuple[int, int], float] = {}


def ensure(step: int, seconds: Iterable[int]) -> None:
    """Make what is missing for rows at these seconds and note that it is written to. Call outside a transaction."""
    now = time.monotonic()
    for lower, upper in sorted({partition_span(step, t) for t in seconds}):
        touched = _touched.get((step, lower))
        if touched is None or now - touched > TOUCH_S:
            _make(step, lower, upper)
            _touched[step, lower] = now


def ensure_ahead(now: int, horizon_s: int = 2 * 3600) -> None:
    """Partitions for the next hours, so that no pull has to wait for one at midnight."""
    for step in STEPS:
        ensure(step, (now, now + horizon_s))


def forget() -> None:
    """Drop what this process believes about partitions; the database is asked again."""
    _touched.clear()


def drop(partition: Partition, why: str, freed: int | None = None) -> None:
    """Remove a partition's rows at once; its row stays and says when and why."""
    name = partition_name(partition.step, int(partition.lower.timestamp()))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(f"DROP TABLE IF EXISTS {name}")
        Partition.objects.filter(step=partition.step, lower=partition.lower).update(
            dropped=dt.datetime.now(UTC), why=why, freed=freed
        )
    _touched.pop((partition.step, int(partition.lower.timestamp())), None)


def _make(step: int, lower: int, upper: int) -> None:
    table, name = table_of(step), partition_name(step, lower)
    bounds = [dt.datetime.fromtimestamp(second, UTC) for second in (lower, upper)]
    with transaction.atomic(), connection.cursor() as cursor:
        if not _exists(cursor, name):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if not _exists(cursor, name):
                storage = STORAGE + (GROWING if step in RESOLUTIONS else "")
                cursor.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS) WITH ({storage})")
                cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)", bounds)
        cursor.execute(
            "INSERT INTO monitors_partition (step, lower, upper, last_write) VALUES (%s, %s, %s, now())"
            " ON CONFLICT (step, lower) DO UPDATE SET last_write = now(), dropped = NULL, why = '', freed = NULL,"
            " sorted_at = CASE WHEN monitors_partition.dropped IS NULL THEN monitors_partition.sorted_at END",
            [step, *bounds],
        )


def _exists(cursor: Any, name: str) -> bool:
    """As the table of tables says: to_regclass may still believe what was before we waited for the lock."""
    cursor.execute("SELECT EXISTS (SELECT FROM pg_class WHERE relname = %s AND pg_table_is_visible(oid))", [name])
    return bool(cursor.fetchone()[0])
