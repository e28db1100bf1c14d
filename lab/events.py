"""The clockwork of the lab: a heap of what will happen, in order of time, the same for the same seed.

Nothing here waits. `lab.live` sleeps until an event is due, `lab.capture` runs through them as fast as it can; the
packets are the same. Time is int64 nanoseconds since the epoch.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000

Action = Callable[..., Any]


class Events:
    """What is going to happen; `now_ns` is the time of the event that is happening."""

    def __init__(self, start_ns: int, seed: int) -> None:
        self.start_ns = start_ns
        self.now_ns = start_ns
        self.random = random.Random(seed)
        self._heap: list[tuple[int, int, Action, tuple[Any, ...]]] = []
        self._order = 0

    def at(self, time_ns: int, action: Action, *arguments: Any) -> None:
        """Call `action` at `time_ns`; events of one instant happen in the order in which they were asked for."""
        self._order += 1
        heapq.heappush(self._heap, (time_ns, self._order, action, arguments))

    def after(self, delay_ns: int, action: Action, *arguments: Any) -> None:
        self._order += 1
        heapq.heappush(self._heap, (self.now_ns + delay_ns, self._order, action, arguments))

    @property
    def next_ns(self) -> int | None:
        """When the next event is due; None when nothing will happen any more."""
        return self._heap[0][0] if self._heap else None

    def step(self) -> None:
        """Let the next event happen."""
        self.now_ns, _, action, arguments = heapq.heappop(self._heap)
        action(*arguments)

    def run_until(self, end_ns: int) -> None:
        """Let everything happen that is due before `end_ns`."""
        while self._heap and self._heap[0][0] < end_ns:
            self.step()
