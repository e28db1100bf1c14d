"""Where a thread's time goes: nanoseconds by stage, measured around whole batches, beside the packets it took in.

Two clock reads per batch and stage: nothing beside the batch. A stage that begins inside another (seconds that close
while packets are analysed) is taken out of the outer one, so that the stages of a thread add up to the time it worked.

    stages.packets += batch.packets
    with stages.time("decode"):
        ...
"""

from __future__ import annotations

from time import perf_counter_ns
from types import TracebackType

STAGES = ("read", "decode", "reorder", "analyse", "close", "write")


class Stages:
    """Belongs to one thread, which alone adds; others may read at any moment. `thread` is its name in status.

    `packets` counts what this thread decoded: a thread that only closes or writes has none of its own, and its time
    belongs to the packets of those that decode.
    """

    def __init__(self, thread: str = "main") -> None:
        self.thread = thread
        self.packets = 0
        self.ns = dict.fromkeys(STAGES, 0)
        self._within = [0]  # of each open stage, the outermost first: what went to stages inside it

    def time(self, stage: str) -> Timing:
        """Use it in a `with`."""
        return Timing(self, stage)

    def begin(self) -> None:
        self._within.append(0)

    def end(self, stage: str, elapsed_ns: int) -> None:
        """A stage that was begun has taken so long; its own share is what no stage within it took."""
        self.ns[stage] += elapsed_ns - self._within.pop()
        self._within[-1] += elapsed_ns


class Timing:
    """One stretch of a stage."""

    __slots__ = ("_began", "_stage", "_stages")

    def __init__(self, stages: Stages, stage: str) -> None:
        self._stages = stages
        self._stage = stage

    def __enter__(self) -> None:
        self._stages.begin()
        self._began = perf_counter_ns()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stages.end(self._stage, perf_counter_ns() - self._began)
