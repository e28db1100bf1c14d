"""What follows when a monitor keeps other steps than before: rows of dropped ones go, added ones are folded anew.

Nothing else changes: each tier stands by itself, and a run is folded from the next finer tier that is kept at that
moment. What a step that comes back can be folded from is what is still stored of that tier.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from django.db import connection

from monitors.fields import from_multirange, to_multirange
from monitors.intervals import Intervals, intersect, normalized, outer, subtract
from monitors.series.tiers import RESOLUTIONS, ROLLUPS, RUN_S, partition_name, source_of, table_of, tiers_of

# As for rows that were just written (write.ROLLUP_GRACE_S): the newest of a run may still be on their way.
GRACE_S = 15

log = logging.getLogger(__name__)


def mark_added(monitor_id: int, resolution: int, before: Collection[int], after: Collection[int]) -> int:
    """Mark every run of the added steps that can be folded from what is stored; the number of runs. In the
    transaction that changes the steps: until it ends, no roll-up folds by the new ones or forgets a run by the old."""
    tiers = tiers_of(resolution, after)
    kept = (resolution, *(step for step in tiers[1:] if step in before))
    marked = 0
    for step in tiers[1:]:
        if step not in before:
            # Another added step in between is folded first; it will reach as far back as this.
            source = source_of(step, tuple(sorted({*kept, step})))
            marked += _mark(monitor_id, step, _stored(monitor_id, source, is_base=source == resolution))
    return marked


def _stored(monitor_id: int, tier: int, is_base: bool) -> Intervals:
    """Where rows of a monitor in this tier are, as far as retention left them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(range_agg(covered), '{}')::text, coalesce(range_agg(frozen), '{}')::text"
            " FROM monitors_pull WHERE monitor_id = %s",
            [monitor_id],
        )
        covered, frozen = (from_multirange(text) for text in cursor.fetchone())
        cursor.execute(
            "SELECT extract(epoch FROM lower)::bigint, extract(epoch FROM upper)::bigint FROM monitors_partition"
            " WHERE step = %s AND dropped IS NULL",
            [tier],
        )
        there = normalized(cursor.fetchall())
    return intersect(subtract(covered, frozen) if is_base else covered, there)


def _mark(monitor_id: int, step: int, spans: Intervals) -> int:
    """The run that is open now is marked as well, by whoever writes into it next if not here."""
    runs = normalized(outer(span, RUN_S[step]) for span in spans)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO monitors_rollup (monitor_id, step, run, due)
            SELECT %(monitor)s, %(step)s, run,
                   greatest(now(), to_timestamp(run + {RUN_S[step]})) + interval '{GRACE_S} s'
            FROM unnest(%(runs)s::int8multirange) span,
                 generate_series(lower(span), upper(span) - 1, {RUN_S[step]}) run ORDER BY run
            ON CONFLICT (monitor_id, step, run)
            DO UPDATE SET due = excluded.due WHERE monitors_rollup.due > excluded.due""",
            {"monitor": monitor_id, "step": step, "runs": to_multirange(runs)},
        )
        return int(cursor.rowcount)


def remove_dropped() -> int:
    """Rows of steps that their monitors no longer keep; the number of rows. Each partition by itself, so that nobody
    waits for long and what was done stays done."""
    removed = 0
    for step in ROLLUPS:
        if monitors := _with_rows_of_dropped(step):
            for name in _partitions(step):
                with connection.cursor() as cursor:
                    cursor.execute(f"DELETE FROM {name} WHERE monitor_id = ANY(%s)", [monitors])
                    removed += cursor.rowcount
            log.info("%s: rows of %d monitors that dropped this step are removed", table_of(step), len(monitors))
    return removed


def _with_rows_of_dropped(step: int) -> list[int]:
    coarser = [resolution for resolution in RESOLUTIONS if resolution < step]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.id FROM monitors_monitor m
            WHERE NOT %(step)s = ANY(m.steps) AND m.resolution = ANY(%(resolutions)s)
              AND EXISTS (SELECT 1 FROM {table_of(step)} s WHERE s.monitor_id = m.id) ORDER BY m.id""",
            {"step": step, "resolutions": coarser},
        )
        return [monitor for (monitor,) in cursor.fetchall()]


def _partitions(step: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM lower)::bigint FROM monitors_partition WHERE step = %s AND dropped IS NULL"
            " ORDER BY lower",
            [step],
        )
        return [partition_name(step, lower) for (lower,) in cursor.fetchall()]
