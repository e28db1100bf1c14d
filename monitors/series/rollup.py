"""Folds samples into the coarser tiers: whole runs, from the queue of runs that may differ from their source.

What folding is, `fold.py` knows; this file decides which runs, and when. A run is replaced in one transaction with
its queue row, which is deleted first: whoever writes rows of that run meanwhile waits and marks it again. A run is
folded after all finer runs within it, so that every tier equals the fold of the base tier.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from tempfile import SpooledTemporaryFile
from typing import Any

from django.db import connection, transaction

from cstor.metrics.metric import Subject
from monitors.intervals import Intervals, clip, union
from monitors.kinds.kind import subject_of
from monitors.models import Monitor, Pull
from monitors.pulls.claim import waiting_s
from monitors.series import partitions
from monitors.series.fold import Folding, columns, select_sql
from monitors.series.tiers import ROLLUPS, RUN_S, UTC, run_of, source_of, table_of, tiers_of
from monitors.series.write import enqueue

# Looked up at once.
MAX_RUNS = 500
# Folded in one transaction: a pull that brings late rows of one of them waits until its end.
RUNS_TOGETHER = 4
# Pulls that wait for longer come first.
LATE_S = 3.0
MOST_PAUSE_S = 30.0
LOOK_S = 0.5
# Monitors of one statement: what is sorted for them stays in memory.
TOGETHER = 4
# Folded rows of one slice wait for the old ones to be deleted: in memory up to this size.
SPOOL_BYTES = 64 << 20
COPY_BYTES = 1 << 18

log = logging.getLogger(__name__)


def roll_up(now: float, max_runs: int = MAX_RUNS, between: Callable[[float], None] | None = None) -> int:
    """Fold the runs that are due, finest tier first; the number of runs folded. `between` is called after each
    transaction with the seconds that it took."""
    folded = 0
    for step in ROLLUPS:
        while due := _due(step, now, max_runs):
            partitions.ensure(step, {run for _, run in due})
            _mark_coarser(step, due, now)
            n = 0
            for first in range(0, len(due), RUNS_TOGETHER):
                began = time.monotonic()
                n += _fold_claimed(step, due[first : first + RUNS_TOGETHER], now)
                if between:
                    between(time.monotonic() - began)
            folded += n
            if n < max_runs:
                break
    return folded


def give_way(took_s: float) -> None:
    """Wait until pulls are on time again: the present is worth more than a coarser past. Not for ever: a tenth of the
    time is theirs whatever happens."""
    end = time.monotonic() + min(9 * took_s, MOST_PAUSE_S)
    while time.monotonic() < end and waiting_s(time.time()) > LATE_S:
        time.sleep(LOOK_S)


def _due(step: int, now: float, max_runs: int) -> list[tuple[int, int]]:
    """(monitor, run) that are due and below which nothing waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT monitor_id, run FROM monitors_rollup r
            WHERE step = %s AND due <= to_timestamp(%s) AND NOT EXISTS (
              SELECT 1 FROM monitors_rollup f
              WHERE f.monitor_id = r.monitor_id AND f.step < r.step AND f.run >= r.run AND f.run < r.run + %s)
            ORDER BY run, monitor_id LIMIT %s""",
            [step, now, RUN_S[step], max_runs],
        )
        return cursor.fetchall()


def _mark_coarser(step: int, due: Sequence[tuple[int, int]], now: float) -> None:
    """Before a run is folded, the run above it waits in turn; in a transaction of its own, so that it never holds
    one queue row while it wants another that a pull holds."""
    if step != ROLLUPS[-1]:
        above = ROLLUPS[ROLLUPS.index(step) + 1]
        with transaction.atomic(), connection.cursor() as cursor:
            enqueue(cursor, ((monitor, above, run_of(above, run)) for monitor, run in due), now)


def _fold_claimed(step: int, due: Sequence[tuple[int, int]], now: float) -> int:
    with connection.wrap_database_errors, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("SET LOCAL work_mem = '64MB'")
        # Work in the background: it leaves the other cores to those who wait.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        runs = _take(cursor, step, due, now)
        by_slice: dict[tuple[int, int, Subject], list[int]] = defaultdict(list)
        tiers, subjects, by_node = _definitions({monitor for monitor, _ in runs})
        gone = _removed({monitor for monitor, _ in runs})
        for monitor, run in runs:
            # Pulls mark every step, kept or not: a step that is added back meanwhile misses nothing.
            if step in tiers.get(monitor, ())[1:] and not _has_lost_source(step, run, tiers[monitor], gone[monitor]):
                by_slice[run, source_of(step, tiers[monitor]), subjects[monitor]].append(monitor)
        for (run, source, subject), monitors in sorted(by_slice.items()):
            for first in range(0, len(monitors), TOGETHER):
                _fold(cursor, step, source, run, subject, monitors[first : first + TOGETHER], by_node)
    return len(runs)


def _take(cursor: Any, step: int, due: Sequence[tuple[int, int]], now: float) -> list[tuple[int, int]]:
    """Claim runs by deleting their queue rows; those that another worker or a pull holds are left for later. So is one
    that was folded and marked again since `now`: the run above it may have been folded without what marked it."""
    cursor.execute(
        """
        DELETE FROM monitors_rollup q USING (
          SELECT r.monitor_id, r.step, r.run FROM monitors_rollup r
          JOIN unnest(%s::int[], %s::bigint[]) d (monitor_id, run) ON d.monitor_id = r.monitor_id AND d.run = r.run
          WHERE r.step = %s AND r.due <= to_timestamp(%s) FOR UPDATE OF r SKIP LOCKED) due
        WHERE q.monitor_id = due.monitor_id AND q.step = due.step AND q.run = due.run
        RETURNING q.monitor_id, q.run""",
        [[monitor for monitor, _ in due], [run for _, run in due], step, now],
    )
    return cursor.fetchall()


def _definitions(monitors: set[int]) -> tuple[dict[int, tuple[int, ...]], dict[int, Subject], list[int]]:
    """Tiers and subject per monitor, and the monitors that keep their groups apart by node."""
    found = list(Monitor.objects.filter(pk__in=monitors))
    return (
        {monitor.pk: tiers_of(monitor.resolution, monitor.steps) for monitor in found},
        {monitor.pk: subject_of(monitor.kind) for monitor in found},
        [monitor.pk for monitor in found if "node" in monitor.keys],
    )


def _removed(monitors: set[int]) -> dict[int, Intervals]:
    """What retention removed from the base tier of each monitor."""
    found: dict[int, Intervals] = defaultdict(tuple)
    for monitor, frozen in Pull.objects.filter(monitor_id__in=monitors).values_list("monitor_id", "frozen"):
        found[monitor] = union(found[monitor], frozen)
    return found


def _has_lost_source(step: int, run: int, tiers: tuple[int, ...], gone: Intervals) -> bool:
    """Whether a part of what this run was folded from is gone: it stays as it is, a part would replace the whole."""
    return source_of(step, tiers) == tiers[0] and bool(clip(gone, run, run + RUN_S[step]))


def _fold(
    cursor: Any, step: int, source: int, run: int, subject: Subject, monitors: list[int], by_node: list[int]
) -> None:
    bounds = [dt.datetime.fromtimestamp(second, UTC) for second in (run, run + RUN_S[step])]
    select = cursor.mogrify(select_sql(step, source, subject), [by_node, *bounds, monitors]).decode()
    with SpooledTemporaryFile(SPOOL_BYTES) as spool:
        folding = Folding(subject, spool)
        cursor.copy_expert(f"COPY ({select}) TO STDOUT WITH (FORMAT binary)", folding)
        folding.close()
        cursor.execute(
            f"DELETE FROM {table_of(step)} WHERE t >= %s AND t < %s AND monitor_id = ANY(%s)", [*bounds, monitors]
        )
        if folding.rows:
            spool.seek(0)
            into = f"{table_of(step)} ({columns(subject)})"
            cursor.copy_expert(f"COPY {into} FROM STDIN WITH (FORMAT binary)", spool, COPY_BYTES)
