"""Which nodes are down, for the banner on every page and for /metrics: known for a few seconds, then asked for anew."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass

from monitors.models import Node
from monitors.nodes.health import BREAKER_FAILURES
from monitors.series.tiers import UTC

CACHED_S = 3.0
# Health is asked for every 15 seconds, behind a breaker every 30: three times in a row nobody asked anyone.
SILENT_S = 90.0
NAMED = 4


@dataclass(frozen=True)
class Down:
    """A node that failed three calls in a row; `since` is its last answer, None if it never gave one."""

    pk: int
    name: str
    since: dt.datetime | None
    words: str


@dataclass(frozen=True)
class Alarms:
    """`silent_since`: nobody asks nodes any more, so that what is known of them is old."""

    down: tuple[Down, ...] = ()
    silent_since: dt.datetime | None = None

    @property
    def named(self) -> tuple[Down, ...]:
        return self.down[:NAMED]

    @property
    def more(self) -> int:
        return max(0, len(self.down) - NAMED)


_known: tuple[float, Alarms] | None = None


def current() -> Alarms:
    """What is known for less than three seconds; else the database is asked, by one query."""
    global _known
    if _known is None or time.monotonic() - _known[0] > CACHED_S:
        _known = (time.monotonic(), alarms(time.time()))
    return _known[1]


def forget() -> None:
    global _known
    _known = None


def alarms(now: float) -> Alarms:
    """Nodes in use that are down, the longest first, and whether health is asked for at all."""
    fields = ("pk", "name", "last_seen", "error", "failures", "checked_at")
    rows = list(Node.objects.filter(enabled=True, left_at=None).values_list(*fields, named=True))
    down = [Down(row.pk, row.name, row.last_seen, row.error) for row in rows if row.failures >= BREAKER_FAILURES]
    down.sort(key=lambda node: (node.since is not None, node.since or 0, node.name))
    asked = max((row.checked_at for row in rows if row.checked_at), default=None)
    is_silent = asked is not None and asked < dt.datetime.fromtimestamp(now - SILENT_S, UTC)
    return Alarms(tuple(down), asked if is_silent else None)
