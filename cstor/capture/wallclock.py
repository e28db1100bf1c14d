"""The node's clock: the wall clock as long as it runs on, and never back.

A wall clock that is set back would stop the node until it has caught up: seconds are closed for good. So the node's
clock goes on by the monotonic clock, is then ahead of the wall, and loses a twentieth of the time that passes until the
two meet again. Stamps of the kernel are made by the wall clock; they are moved by as much as the node is ahead, so that
the distances between packets stay true.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

CATCH_UP = 20
NOTABLE_NS = 50_000_000  # less is the noise of reading two clocks one after the other


class WallClock:
    """Shared by all capture threads."""

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._read_wall, self._read_monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._wall, self._monotonic = wall(), monotonic()
        self._ahead = 0
        self._latest = self._wall

    def now_ns(self) -> int:
        """UTC as this node takes it."""
        with self._lock:
            monotonic, wall = self._read_monotonic(), self._read_wall()
            passed = monotonic - self._monotonic
            stepped = wall - self._wall - passed
            self._ahead = max(0, self._ahead - stepped - min(self._ahead, passed // CATCH_UP))
            self._wall, self._monotonic = wall, monotonic
            self._latest = max(self._latest, wall + self._ahead)
            return self._latest

    @property
    def ahead_ns(self) -> int:
        """How far the wall clock has been set back behind this one; 0 in the ordinary case."""
        return self._ahead if self._ahead >= NOTABLE_NS else 0
