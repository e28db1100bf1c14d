"""Calls from capture threads to the store's writer, which belongs to one thread: written down, carried out by that one.

So a disk that hangs holds up nobody who empties a ring; what was closed meanwhile waits here, in the order of its
coming.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

Calls = queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]]


class Handover:
    """Stands for `target` and its parts: a call of any of their methods answers None and is made later."""

    def __init__(self, target: Any, calls: Calls | None = None) -> None:
        self._target = target
        self._calls: Calls = calls or queue.SimpleQueue()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return Handover(found, self._calls)
        return lambda *arguments: self._calls.put((found, arguments))

    def carry_out(self) -> None:
        """Make all calls that were written down until now; in the thread to which the target belongs."""
        for _ in range(self._calls.qsize()):
            method, arguments = self._calls.get()
            method(*arguments)
