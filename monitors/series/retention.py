"""Removes samples by age and by bytes: whole partitions, of the site's own retention (`monitors.models.Retention`).

Age counts from the write, not from the packets, so a capture of 1999 that was read today stays as long as today's
traffic. When all samples together exceed their budget, the oldest partition of the finest tier goes first: what it
held stays in the tiers above. What is removed from a base tier is `frozen` on the pulls of its monitors: rows that came
into that stretch later could not be folded with those that are gone.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from django.db import connection

from monitors.models import Monitor, Retention
from monitors.series import partitions
from monitors.series.sizes import GB, Stored, budget, stored
from monitors.series.tiers import RUN_S, STEPS, UTC, table_of, tiers_of

log = logging.getLogger(__name__)


def remove_old(now: float) -> list[str]:
    """Drop what is older than its tier is kept; the names of the dropped partitions."""
    keep = Retention.of_site().keep_days

    def why(run: Run) -> str:
        days = keep[run[0].partition.step]
        limit = dt.datetime.fromtimestamp(now, UTC) - dt.timedelta(days=days)
        return f"kept for {days} days" if all(one.partition.last_write < limit for one in run) else ""

    return [one.name for one in _remove(stored(), why)]


def remove_large(now: float) -> list[str]:
    """Drop until all samples fit into their budget; the names of the dropped partitions."""
    found = stored()
    left = sum(one.size for one in found)
    limit = budget(Retention.of_site(), left)
    dropped: list[Stored] = []

    def why(run: Run) -> str:
        # A partition that is not over is still written to: what is gone would be missing in its totals.
        is_due = left - sum(one.size for one in dropped) > limit and run[-1].upper <= now
        return f"the budget of {limit / GB:.1f} GB was reached" if is_due else ""

    dropped = _remove(found, why, dropped)
    left -= sum(one.size for one in dropped)
    if left > limit:
        log.warning(
            "samples take %.1f GB, their budget is %.1f GB, and nothing may go: what is left is written to or waits to"
            " be rolled up. Raise the budget, or keep fewer groups or coarser steps",
            left / GB,
            limit / GB,
        )
    return [one.name for one in dropped]


Run = Sequence[Stored]


def _remove(found: Sequence[Stored], why: Callable[[Run], str], dropped: list[Stored] | None = None) -> list[Stored]:
    """Drop what there is a reason for, the finest tier first; `dropped` grows meanwhile. A coarser partition stays as
    long as a finer one within it does: rows that come late there are folded together with what is in the coarser."""
    dropped = [] if dropped is None else dropped
    held: list[Stored] = []
    for run in _together(found):
        reason = why(run)
        is_held = any(one.lower < run[-1].upper and run[0].lower < one.upper for one in held)
        if reason and not is_held and _drop(run, reason):
            dropped += run
        else:
            held += [one for one in run if not one.is_empty]
    return dropped


def _together(found: Sequence[Stored]) -> Iterator[Run]:
    """Partitions that go at once, the finest tier first, the oldest first: as far as runs reach that are folded from
    them. Usually that is one; hours of 1 s that a monitor folds into days at once go by the day."""
    reach = _reach()
    for _, run in groupby(found, lambda one: (one.partition.step, one.lower // reach[one.partition.step])):
        yield list(run)


def _reach() -> dict[int, int]:
    """Seconds of the longest run that any monitor folds from each tier; 1 where every partition is its own."""
    reach = dict.fromkeys(STEPS, 1)
    for resolution, steps in Monitor.objects.values_list("resolution", "steps"):
        tiers = tiers_of(resolution, steps)
        if resolution == 1 and len(tiers) > 1:
            # All other partitions are whole days or more, and no run is longer than a day.
            reach[1] = max(reach[1], RUN_S[tiers[1]])
    return reach


def _drop(run: Run, why: str) -> bool:
    """False where the roll-up of what is there waits."""
    step, lower, upper = run[0].partition.step, run[0].lower, run[-1].upper
    if _is_waiting(step, lower, upper):
        log.warning("%s stays: its roll-up is waiting", run[0].name)
        return False
    _freeze(step, lower, upper)
    for one in run:
        partitions.drop(one.partition, why, one.size)
        log.info("%s is removed, about %d rows and %.2f GB: %s", one.name, one.rows, one.size / GB, why)
    return True


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
        found = {monitor_id for (monitor_id,) in cursor.fetchall()}
        orphans = sorted(found - set(Monitor.objects.values_list("pk", flat=True)))
        for monitor_id in orphans:
            for table in (*(table_of(step) for step in STEPS), "monitors_rollup", "monitors_group"):
                cursor.execute(f"DELETE FROM {table} WHERE monitor_id = %s", [monitor_id])
    return len(orphans)
