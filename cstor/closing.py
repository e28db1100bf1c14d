"""What the analysis has finished, on its way to the store: seconds are folded, then written. In a thread of its own if
asked for: the kernels go on with the next second meanwhile (they, and what they fold in, run without Python's lock).

A thread that feeds faster than the store writes waits for it, unless it captures live: nothing that was analysed is
ever dropped.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cstor.buckets.close import Closer
from cstor.buckets.second import ClosedSecond, RawSecond, SessionBatch
from cstor.flows.sessions import EndedSessions
from cstor.stages import Stages
from cstor.store.writer import StoreWriter

QUEUED = 4  # hand-overs; each holds what one batch of packets closed


class Finished(NamedTuple):
    """What one look at the analysis found."""

    seconds: list[RawSecond]
    sessions: EndedSessions | None
    points: np.ndarray | None


class Closing:
    """Folds and stores. The store belongs to the thread that calls `take` or, with a thread, to that one until
    `wait` has returned."""

    def __init__(
        self,
        store: StoreWriter | None,
        on_second: Callable[[ClosedSecond], None] | None,
        stages: Stages,
        threaded: bool = False,
        waits: bool = True,
    ) -> None:
        self.sessions = 0
        number = "".join(stages.thread.rpartition("-")[1:]) if "-" in stages.thread else ""
        self.stages = Stages(f"close{number}") if threaded else stages  # close-0 for capture-0
        self._store = store
        self._on_second = on_second
        self._closer = Closer()
        self._error: BaseException | None = None
        self._queue: queue.Queue[Finished | Callable[[], None] | None] = queue.Queue(QUEUED if waits else 0)
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._work, name=self.stages.thread, daemon=True)
            self._thread.start()

    def take(self, finished: Finished) -> None:
        """Store this now, or soon; raises what went wrong with what was handed over before."""
        if not (finished.seconds or finished.sessions or finished.points is not None):
            return
        if self._thread is None:
            self._do(finished)
        else:
            self._raise()
            self._queue.put(finished)

    def after(self, call: Callable[[], None]) -> None:
        """Make a call when all that was taken until now is with the store."""
        self._raise()
        if self._thread is None or not self._queue.unfinished_tasks:
            call()
        else:
            self._queue.put(call)

    def wait(self) -> None:
        """The stream has ended: everything is with the store when this returns, and the thread is gone."""
        if self._thread:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
            self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error:
            raise error

    def _work(self) -> None:
        failed = False
        while (work := self._queue.get()) is not None:
            if not failed:
                try:
                    if isinstance(work, Finished):
                        self._do(work)
                    else:
                        work()
                except BaseException as error:
                    self._error, failed = error, True
            self._queue.task_done()

    def _do(self, finished: Finished) -> None:
        for raw in finished.seconds:
            with self.stages.time("close"):
                second = self._closer.fold(raw)
            if second is None:
                continue
            if self._on_second:
                self._on_second(second)
            if self._store:
                with self.stages.time("write"):
                    self._store.add_seconds([second])
        for part in finished.sessions.parts if finished.sessions else ():
            self.sessions += len(part.flows)
            if self._store:
                with self.stages.time("write"):
                    self._store.add_sessions(SessionBatch(EndedSessions([part]).rows))
        if self._store and finished.points is not None:
            self._store.tables.add("points", finished.points)
