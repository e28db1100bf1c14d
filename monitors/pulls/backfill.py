"""When a batch may also ask for history: never where "now" would be late for it.

Histories may be long and nodes slow, so a batch brings older windows only while nothing of its node waits, and where
others are due in the meantime only one batch of four does. A node at which nobody is about to be late may be asked for
history all the time. The rest of a call is given up after BACKFILL_S: what it did not bring is asked for again.
"""

from __future__ import annotations

import datetime as dt
from threading import Lock
from uuid import UUID

from django.db import connection

from monitors.series.tiers import UTC

# Of so many batches of a node one may ask for history while others wait.
ONE_OF = 4
# Older windows that one call may ask for beside the newest ones: many where the node is quick, none after a failure.
WINDOWS = 48
QUICK_MS, SLOW_MS = 2000, 8000
# A head that has waited for longer is late: batches of its node bring the present only.
LATE_S = 3.0
# What is left of a call when it has taken so long, all heads being there, is left for later.
BACKFILL_S = 2.0


class Turns:
    """Counts the batches of each node in this process: any number of processes keep the share of one in four."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}
        self._lock = Lock()

    def take(self, node_id: int, is_quiet: bool) -> bool:
        """Whether it is this batch's turn; `is_quiet`: nobody is due on the node while this batch runs."""
        with self._lock:
            since = self._since.get(node_id, ONE_OF)
            is_turn = is_quiet or since >= ONE_OF - 1
            self._since[node_id] = 0 if is_turn else since + 1
            return is_turn

    def skip(self, node_id: int) -> None:
        """A batch that brought the present only."""
        with self._lock:
            self._since[node_id] = self._since.get(node_id, ONE_OF) + 1

    def forget(self) -> None:
        with self._lock:
            self._since.clear()


TURNS = Turns()


def may_ask(node_id: int, lease: UUID, waited_s: float, now: float) -> bool:
    """Whether this batch, which waited so long for a worker, may ask for older windows."""
    late, soon = _waiting(node_id, lease, now)
    if late or waited_s > LATE_S:
        TURNS.skip(node_id)
        return False
    return TURNS.take(node_id, is_quiet=not soon)


def windows_of(slowest_ms: int, pulls: int, heads: int, max_queries: int) -> int:
    """How many older windows one call may ask for: fewer where the node was slow the last time, or where the present
    alone nearly fills the call."""
    budget = WINDOWS if slowest_ms < QUICK_MS else WINDOWS // 4 if slowest_ms < SLOW_MS else 2
    return max(0, min(budget // 4 if pulls > 48 else budget, (max_queries - heads) // 2))


def _waiting(node_id: int, lease: UUID, now: float) -> tuple[int, int]:
    """How many other pulls of the node are late, and how many are due while a backfill would run."""
    late, soon = (dt.datetime.fromtimestamp(now + seconds, UTC) for seconds in (-LATE_S, BACKFILL_S))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE p.next_run < %s), count(*) FROM monitors_pull p"
            " JOIN monitors_target t ON t.monitor_id = p.monitor_id AND t.node_id = p.node_id"
            " JOIN monitors_monitor m ON m.id = p.monitor_id AND m.enabled"
            " WHERE p.node_id = %s AND p.lease IS DISTINCT FROM %s AND p.next_run <= %s",
            [late, node_id, lease, soon],
        )
        return cursor.fetchone()
