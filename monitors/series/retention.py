"""Removes samples by age: whole partitions whose last write is older than their tier is kept.

Age counts from the write, not from the packets, so a capture of 1999 that was read today stays as long as today's
traffic. What is removed from a base tier is `frozen` on the pulls of its monitors: rows that came into that stretch
later could not be folded with those that are gone.
"""

from __future__ import annotations

import datetime as dt
import logging

from django.conf import settings
from django.db import connection

from monitors.models import Monitor, Partition
from monitors.series import partitions
from monitors.series.tiers import RUN_S, STEPS, UTC, partition_name, table_of

log = logging.getLogger(__name__)

# Days that each tier is kept after its last write; coarser ones longer, since they are folded from the finer.
KEEP_DAYS = {1: 2, 10: 7, 60: 30, 600: 180, 3600: 1100, 86_400: 3650}


def keep_days() -> dict[int, int]:
    """The site's retention: SAMPLES_KEEP_DAYS of the settings over the defaults."""
    return KEEP_DAYS | getattr(settings, "SAMPLES_KEEP_DAYS", {})


def remove_old(now: float) -> list[str]:
    """Drop what is too old; the names of the dropped partitions."""
    dropped = []
    for step, days in keep_days().items():
        limit = dt.datetime.fromtimestamp(now, UTC) - dt.timedelta(days=days)
        for partition in Partition.objects.filter(step=step, last_write__lt=limit, dropped=None):
            lower, upper = int(partition.lower.timestamp()), int(partition.upper.timestamp())
            if _is_waiting(step, lower, upper):
                log.warning("%s stays: its roll-up is waiting", partition_name(step, lower))
                continue
            _freeze(step, lower, upper)
            partitions.drop(partition)
            dropped.append(partition_name(step, lower))
    return dropped


def _is_waiting(step: int, lower: int, upper: int) -> bool:
    """Whether a coarser run within the partition is still to be folded: its source must not go before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT step, run FROM monitors_rollup WHERE step > %s AND run < %s AND run > %s",
            [step, upper, lower - max(RUN_S.values())],
        )
        return any(run + RUN_S[coarser] > lower for coarser, run in cursor.fetchall())


def _freeze(step: int, lower: int, upper: int) -> None:
    """Before the rows go: no pull of a monitor that has rows there may add any."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE monitors_pull SET frozen = frozen + int8multirange(int8range(%s, %s))
            WHERE monitor_id IN (
              SELECT p.monitor_id FROM monitors_pull p JOIN monitors_monitor m ON m.id = p.monitor_id
              WHERE m.resolution = %s AND p.covered && int8range(%s, %s))""",
            [lower, upper, step, lower, upper],
        )


def remove_orphans() -> int:
    """Rows of monitors that were deleted; the number of monitors cleaned up. Their groups go last, so that a
    clean-up that was cut short is taken up again."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE seen AS (
              (SELECT monitor_id FROM monitors_group ORDER BY monitor_id LIMIT 1)
              UNION ALL
              SELECT (SELECT g.monitor_id FROM monitors_group g WHERE g.monitor_id > seen.monitor_id
                      ORDER BY g.monitor_id LIMIT 1) FROM seen WHERE seen.monitor_id IS NOT NULL)
            SELECT monitor_id FROM seen WHERE monitor_id IS NOT NULL"""
        )
        stored = {monitor_id for (monitor_id,) in cursor.fetchall()}
        orphans = sorted(stored - set(Monitor.objects.values_list("pk", flat=True)))
        for monitor_id in orphans:
            for table in (*(table_of(step) for step in STEPS), "monitors_rollup", "monitors_group"):
                cursor.execute(f"DELETE FROM {table} WHERE monitor_id = %s", [monitor_id])
    return len(orphans)
