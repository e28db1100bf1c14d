"""What the analysis has finished, on its way to the store: seconds are folded, then written. In a thread of its own if
asked for: the kernels go on with the next second meanwhile (they, and what they fold in, run without Python's lock).

A thread that feeds faster than the store writes waits for it: nothing that was analysed is ever dropped.
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
    ) -> None:
        self.sessions = 0
        self.stages = Stages("close") if threaded else stages
        self._store = store
        self._on_second = on_second
        self._closer = Closer()
        self._error: BaseException | None = None
        self._queue: queue.Queue[Finished | None] = queue.Queue(QUEUED)
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._work, name="close", daemon=True)
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
        while (finished := self._queue.get()) is not None:
            if not failed:
                try:
                    self._do(finished)
                except BaseException as error:
                    self._error, failed = error, True

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
