"""Pull history again: what a monitor has under an earlier definition is marked, and replaced bit by bit.

An edited monitor keeps what it has; only who asks for it gets the present definition for the past as well. Marking
moves nothing: pulls replace what is marked window by window, the newest first, within what they may spend on history,
each window in the transaction that brings the new rows. What a node no longer has stays as it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import connection, transaction

from monitors.series.tiers import UTC


def pull_again(monitor_ids: Sequence[int], start: int | None, stop: int | None, now: float) -> int:
    """Mark what is covered in [start, stop), epoch seconds, None where it is open; the seconds that are marked now.

    Both ends are widened to whole buckets: a bucket is replaced as a whole.
    """
    moment = dt.datetime.fromtimestamp(now, UTC)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH asked AS (
              SELECT p.monitor_id, p.node_id, (p.covered - p.frozen) * int8multirange(int8range(
                %(start)s::bigint / m.resolution * m.resolution,
                (%(stop)s::bigint + m.resolution - 1) / m.resolution * m.resolution)) AS stale
              FROM monitors_pull p JOIN monitors_monitor m ON m.id = p.monitor_id
              WHERE p.monitor_id = ANY(%(monitors)s) ORDER BY p.monitor_id, p.node_id FOR UPDATE OF p)
            UPDATE monitors_pull p SET stale = p.stale + asked.stale, next_run = least(p.next_run, %(now)s)
            FROM asked WHERE asked.monitor_id = p.monitor_id AND asked.node_id = p.node_id AND NOT isempty(asked.stale)
            RETURNING (SELECT sum(upper(r) - lower(r)) FROM unnest(p.stale) r)::bigint""",
            {"monitors": list(monitor_ids), "start": start, "stop": stop, "now": moment},
        )
        return sum(seconds for (seconds,) in cursor.fetchall())


def keep_as_it_is(monitor_ids: Sequence[int]) -> int:
    """Take the marks away: what was not replaced yet stays. The number of pulls that had any."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitors_pull SET stale = '{}' WHERE monitor_id = ANY(%s) AND NOT isempty(stale)",
            [list(monitor_ids)],
        )
        return cursor.rowcount
