"""How all pulls are going, worked out by the database: thousands of rows, of which a page shows fifty.

The keys are those of `monitors.state`, which puts one pull into words; both are tested against each other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from monitors.models import Pull
from monitors.pulls import queues
from monitors.pulls.plan import STANDING_S
from monitors.state import IDLE_S, LATE_S, SEVERITY

WINDOW_S = 10
# A pull is late when nobody took it for so long: the tick comes each second.
OVERDUE_S = 10

_NUMBER = "CASE WHEN jsonb_typeof(n.status->'{0}') = 'number' THEN floor((n.status->>'{0}')::numeric)::bigint END"

_STATES = f"""
WITH known AS (
  SELECT n.id, n.name, n.enabled, n.error, n.status->>'mode' AS mode, n.retry_at, n.complete_until AS told,
    {_NUMBER.format("complete_until")} AS complete,
    least({_NUMBER.format("kept_from")}, {_NUMBER.format("oldest_bucket")}) AS oldest
  FROM monitors_node n),
nodes AS (
  SELECT *, complete IS NOT NULL AND greatest(complete, coalesce(told, 0)) < %(now)s - {STANDING_S}
    AND mode IS DISTINCT FROM 'capture' AS stands FROM known),
pulls AS (
  SELECT p.*, m.name AS monitor, n.name AS node, m.interval_s, m.resolution, n.stands,
    m.enabled AND n.enabled AS enabled, n.error <> '' AND n.error = p.error AS is_nodes,
    t.monitor_id IS NOT NULL AS asked,
    greatest(n.complete, coalesce(n.told, 0)) AS complete,
    CASE WHEN n.oldest IS NOT NULL THEN greatest(n.oldest, 0) END AS oldest,
    (n.retry_at IS NULL OR n.retry_at <= to_timestamp(%(now)s)) AND (p.lease_until IS NULL
      OR p.lease_until <= to_timestamp(%(now)s)) AS idle,
    %(now)s - extract(epoch FROM p.next_run) AS due_s,
    CASE WHEN NOT isempty(p.covered) AND NOT n.stands THEN greatest(0, %(now)s - upper(p.covered)) END AS lag
  FROM monitors_pull p JOIN monitors_monitor m ON m.id = p.monitor_id JOIN nodes n ON n.id = p.node_id
  LEFT JOIN monitors_target t ON t.monitor_id = p.monitor_id AND t.node_id = p.node_id),
states AS (
  SELECT *, CASE
    WHEN NOT (enabled AND asked) THEN 'off'
    WHEN error <> '' THEN CASE WHEN failures < 3 THEN 'warning' ELSE 'down' END
    WHEN (isempty(covered) OR NOT stands) AND idle AND due_s > {IDLE_S} THEN 'warning'
    WHEN isempty(covered) THEN 'unknown'
    WHEN stands THEN CASE WHEN NOT isempty(stale) OR upper(covered) < complete THEN 'busy' ELSE 'ok' END
    WHEN lag > greatest({LATE_S}, 3 * interval_s + 2 * resolution) THEN 'warning'
    WHEN NOT isempty(stale) THEN 'busy'
    WHEN oldest IS NOT NULL AND upper(covered) - oldest - (
      SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(covered + lost + frozen) r) > 2 * resolution THEN 'busy'
    ELSE 'ok' END AS key FROM pulls)
"""

_TOTALS = f"""{_STATES}
SELECT key, count(*),
  coalesce(sum(rows_per_s * exp(-least(extract(epoch FROM to_timestamp(%(now)s) - last_run)::float8, 600) / 60))
    FILTER (WHERE last_run IS NOT NULL), 0),
  coalesce(sum(greatest(1, {WINDOW_S}.0 / interval_s))
    FILTER (WHERE last_run > to_timestamp(%(now)s - {WINDOW_S})), 0) / {WINDOW_S},
  count(*) FILTER (WHERE idle AND due_s > {OVERDUE_S}),
  count(*) FILTER (WHERE lease_until > to_timestamp(%(now)s))
FROM states GROUP BY GROUPING SETS ((key), ())
"""
_LAGS = f"""{_STATES}
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY lag) FROM states WHERE enabled AND asked"""

_BY_NODE = f"""{_STATES}
SELECT node, max(lag), coalesce(sum(greatest(0, greatest(upper(covered), complete) - oldest - (
    SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(covered + lost + frozen) r))), 0),
  coalesce(sum((SELECT sum(upper(r) - lower(r)) FROM unnest(stale) r)), 0),
  coalesce(sum((SELECT sum(upper(r) - lower(r)) FROM unnest(lost) r)), 0), count(*) FILTER (WHERE error <> '')
FROM states WHERE enabled AND asked GROUP BY node ORDER BY node"""

# What a node that is down brings its monitors comes after what is wrong with one of them alone.
_ORDER = "array_position(%(severity)s::text[], key) DESC, is_nodes, lag DESC NULLS LAST, monitor, node"
_PAGE = f"""{_STATES}
SELECT monitor_id, node_id, asked, key, count(*) OVER () FROM states
WHERE (%(state)s = '' OR key = %(state)s) AND (%(node_id)s IS NULL OR node_id = %(node_id)s)
  AND (%(monitor_id)s IS NULL OR monitor_id = %(monitor_id)s)
  AND (%(search)s = '' OR strpos(lower(monitor), lower(%(search)s)) > 0)
ORDER BY {_ORDER} LIMIT %(limit)s OFFSET %(offset)s"""


@dataclass(frozen=True)
class Totals:
    """Of all pulls. `lag_*` is how far the newest sample is behind the present, standing nodes left out."""

    states: dict[str, int]
    pulls: int
    running: int
    late: int
    pulls_per_s: float
    rows_per_s: float
    lag_p50: float | None
    lag_p99: float | None
    backlog: int
    queues: dict[str, int] | None

    @property
    def queued(self) -> int:
        """Messages that wait, in all queues."""
        return sum((self.queues or {}).values())


@dataclass(frozen=True)
class NodeSums:
    """Of one node's pulls: the largest lag, and seconds owed, to be pulled again, and lost, added up."""

    node: str
    lag: float | None
    owed: int
    stale: int
    lost: int
    failing: int


@dataclass(frozen=True)
class Wanted:
    """Which pulls to list."""

    state: str = ""
    node_id: int | None = None
    monitor_id: int | None = None
    search: str = ""


def totals(now: float) -> Totals:
    """The numbers at the top of the page."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, {"now": now})
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
        n, rows_per_s, pulls_per_s, late, running = rows.pop(None, (0, 0.0, 0.0, 0, 0))
        cursor.execute(_LAGS, {"now": now})
        lags = cursor.fetchone()[0] or [None, None]
        cursor.execute("SELECT count(*) FROM monitors_rollup WHERE due <= to_timestamp(%s)", [now])
        (backlog,) = cursor.fetchone()
    return Totals(
        {key: rows[key][0] if key in rows else 0 for key in reversed(SEVERITY)},
        n,
        running,
        late,
        float(pulls_per_s),
        float(rows_per_s),
        lags[0],
        lags[1],
        backlog,
        _queues.lengths(),
    )


def by_node(now: float) -> list[NodeSums]:
    """Of every node that is asked for anything."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_NODE, {"now": now})
        return [NodeSums(node, lag, *map(int, rest)) for node, lag, *rest in cursor.fetchall()]


def page(wanted: Wanted, now: float, limit: int, offset: int) -> tuple[list[Pull], int]:
    """The pulls of one page, the worst first, and how many there are; each has `is_asked` set."""
    words: dict[str, Any] = {"severity": list(SEVERITY), "now": now, "limit": limit, "offset": offset}
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, words | vars(wanted))
        found = cursor.fetchall()
    pulls = _pulls([(monitor, node) for monitor, node, *_ in found])
    for pull, (_, _, asked, _, _) in zip(pulls, found, strict=True):
        pull.is_asked = asked
    return pulls, found[0][-1] if found else 0


def keys(now: float) -> dict[tuple[int, int], str]:
    """The state of every pull, by monitor and node."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_STATES} SELECT monitor_id, node_id, key FROM states", {"now": now})
        return {(monitor, node): key for monitor, node, key in cursor.fetchall()}


def _pulls(pairs: Sequence[tuple[int, int]]) -> list[Pull]:
    """These pulls in this order, with their monitors and nodes."""
    found = Pull.objects.select_related("monitor", "node").filter(pk__in=pairs)
    by_pair = {(pull.monitor_id, pull.node_id): pull for pull in found}
    return [by_pair[pair] for pair in pairs]


class _Queues:
    """Queue lengths, asked of the broker every few seconds only: pages poll."""

    KEPT_S = 3.0

    def __init__(self) -> None:
        self._at = -self.KEPT_S
        self._found: dict[str, int] | None = None

    def lengths(self) -> dict[str, int] | None:
        if time.monotonic() - self._at >= self.KEPT_S:
            self._at, self._found = time.monotonic(), queues.lengths()
        return self._found


_queues = _Queues()
