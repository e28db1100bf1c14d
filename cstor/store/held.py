"""What a full disk keeps out of the store: seconds and sessions wait in memory for space, bounded, in their order.

Beyond the bound the oldest are dropped and counted, and their seconds are told to whoever keeps the clock: they count
as not observed, for a missing row would otherwise read as "no traffic".
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from cstor.buckets.second import ClosedSecond, SessionBatch

HELD_SECONDS = 30
HELD_BYTES = 64 << 20


class HeldItem(NamedTuple):
    """One second, or sessions of one hour."""

    hour: int
    item: ClosedSecond | SessionBatch
    size: int


class Held:
    """A queue of at most HELD_SECONDS seconds and HELD_BYTES bytes, whichever is less."""

    def __init__(self) -> None:
        self.lost_seconds = 0
        self.lost_sessions = 0
        self._waiting: deque[HeldItem] = deque()
        self._seconds = 0
        self._bytes = 0
        self._lost: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def held_from(self) -> int | None:
        """The oldest second that waits: nothing from there on is complete."""
        seconds = [held.item.t for held in self._waiting if isinstance(held.item, ClosedSecond)]
        return min(seconds, default=None)

    def add(self, hour: int, item: ClosedSecond | SessionBatch) -> None:
        """Let one more wait; the oldest go where there is no room."""
        held = HeldItem(hour, item, sum(array.nbytes for array in item if hasattr(array, "nbytes")))
        self._count(held, 1)
        self._waiting.append(held)
        while len(self._waiting) > 1 and (self._seconds > HELD_SECONDS or self._bytes > HELD_BYTES):
            self._lose(self._waiting[0])
            self.pop()

    def first(self) -> HeldItem:
        """What has waited longest."""
        return self._waiting[0]

    def pop(self) -> None:
        """The first has been written."""
        self._count(self._waiting.popleft(), -1)

    def drop_all(self) -> None:
        """The program ends and the disk is still full."""
        while self._waiting:
            self._lose(self._waiting[0])
            self.pop()

    def take_lost(self) -> list[int]:
        """Seconds that were dropped since the last call, ascending."""
        lost, self._lost = sorted(self._lost), set()
        return lost

    def _lose(self, held: HeldItem) -> None:
        if isinstance(held.item, ClosedSecond):
            self.lost_seconds += 1
            self._lost.add(held.item.t)
        else:
            self.lost_sessions += len(held.item.rows)

    def _count(self, held: HeldItem, sign: int) -> None:
        self._seconds += sign * isinstance(held.item, ClosedSecond)
        self._bytes += sign * held.size
