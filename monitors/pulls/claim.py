"""Which pulls run next: a row with a lease is the job, the message that carries the lease is only a wake-up.

At most one batch per node is in flight. A lease that ran out (its worker was killed) makes its rows due again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from monitors.series.tiers import UTC

BATCH = 64
LEASE_S = 60
# Any fixed number: two ticks at once must not both see a node as free.
LOCK = 0x63436C_02
STATUS_EVERY_S = 15


@dataclass(frozen=True)
class Lease:
    """One batch: the pulls of this node that carry this lease."""

    node_id: int
    lease: UUID


_SYNC = """
INSERT INTO monitors_pull (monitor_id, node_id, next_run, frozen)
SELECT n.monitor_id, n.node_id, %s, coalesce(
  (SELECT range_agg(s.frozen) FROM monitors_pull s WHERE s.monitor_id = n.monitor_id), '{}')
FROM monitors_target n
WHERE NOT EXISTS (SELECT 1 FROM monitors_pull p WHERE p.monitor_id = n.monitor_id AND p.node_id = n.node_id)
ON CONFLICT DO NOTHING"""

_CLAIM = """
WITH free AS MATERIALIZED (
  SELECT n.id, gen_random_uuid() AS lease FROM monitors_node n
  WHERE n.enabled AND (n.retry_at IS NULL OR n.retry_at <= %(now)s) AND (%(node)s IS NULL OR n.id = %(node)s)
    AND NOT EXISTS (SELECT 1 FROM monitors_pull b WHERE b.node_id = n.id AND b.lease_until > %(now)s)),
due AS MATERIALIZED (
  SELECT d.monitor_id, f.id AS node_id, f.lease FROM free f CROSS JOIN LATERAL (
    SELECT p.monitor_id FROM monitors_pull p
    JOIN monitors_monitor m ON m.id = p.monitor_id AND m.enabled
    JOIN monitors_target t ON t.monitor_id = p.monitor_id AND t.node_id = p.node_id
    WHERE p.node_id = f.id AND p.next_run <= %(now)s
    ORDER BY p.next_run LIMIT %(batch)s FOR UPDATE OF p SKIP LOCKED) d)
UPDATE monitors_pull p SET lease = due.lease, lease_until = %(until)s
FROM due WHERE p.monitor_id = due.monitor_id AND p.node_id = due.node_id
RETURNING p.node_id, p.lease"""


def claim(now: float, node_id: int | None = None) -> list[Lease]:
    """Lease what is due, one batch per node that has none in flight. A tick that runs beside another gets nothing;
    asked for one node (its batch has just ended) it waits its turn."""
    moment = dt.datetime.fromtimestamp(now, UTC)
    until = moment + dt.timedelta(seconds=LEASE_S)
    with transaction.atomic(), connection.cursor() as cursor:
        if node_id is None:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                return []
            cursor.execute(_SYNC, [moment])
        else:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(_CLAIM, {"now": moment, "until": until, "batch": BATCH, "node": node_id})
        return [Lease(node, lease) for node, lease in sorted(set(cursor.fetchall()), key=str)]


def claim_status(now: float) -> list[int]:
    """Nodes whose health is to be asked for; whoever gets a node here asks, and nobody else for the next seconds. An
    open breaker keeps this call away as well."""
    moment = dt.datetime.fromtimestamp(now, UTC)
    limit = moment - dt.timedelta(seconds=STATUS_EVERY_S)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitors_node SET checked_at = %s WHERE id IN (SELECT id FROM monitors_node"
            " WHERE enabled AND left_at IS NULL AND (checked_at IS NULL OR checked_at <= %s)"
            " AND (retry_at IS NULL OR retry_at <= %s) FOR UPDATE SKIP LOCKED) RETURNING id",
            [moment, limit, moment],
        )
        return sorted(node for (node,) in cursor.fetchall())


def waiting_s(now: float) -> float:
    """For how long the oldest pull that is due waits, at the median node: a node that is slow makes late its own pulls
    only, workers without time make late those of all."""
    moment = dt.datetime.fromtimestamp(now, UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY waited) FROM ("
            "SELECT greatest(0, extract(epoch FROM %(now)s - min(p.next_run)))::float8 AS waited FROM monitors_pull p"
            " JOIN monitors_target t ON t.monitor_id = p.monitor_id AND t.node_id = p.node_id"
            " JOIN monitors_monitor m ON m.id = p.monitor_id AND m.enabled"
            " JOIN monitors_node n ON n.id = p.node_id AND n.enabled"
            " WHERE p.failures = 0 AND (n.retry_at IS NULL OR n.retry_at <= %(now)s) GROUP BY p.node_id) nodes",
            {"now": moment},
        )
        return float(cursor.fetchone()[0] or 0.0)


def due_now(monitor_ids: list[int] | None = None, node_ids: list[int] | None = None, now: float = 0.0) -> int:
    """Make pulls due at once, breakers and back-off aside: what "pull now" does. The number of pulls."""
    moment = dt.datetime.fromtimestamp(now, UTC)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SYNC, [moment])
        cursor.execute(
            "UPDATE monitors_pull SET next_run = %s"
            " WHERE (%s::int[] IS NULL OR monitor_id = ANY(%s)) AND (%s::int[] IS NULL OR node_id = ANY(%s))"
            " RETURNING node_id",
            [moment, monitor_ids, monitor_ids, node_ids, node_ids],
        )
        touched = [node for (node,) in cursor.fetchall()]
        cursor.execute("UPDATE monitors_node SET retry_at = NULL WHERE id = ANY(%s)", [sorted(set(touched))])
    return len(touched)
