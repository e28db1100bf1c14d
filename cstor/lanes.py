"""All capture threads of a node: as many as the source with the most threads has, and their counters together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from cstor.capture.reorder import ReorderWindow
from cstor.capture.source import Source
from cstor.capture.wallclock import WallClock
from cstor.config import NodeConfig
from cstor.engine import Engine
from cstor.flows.analysis import AnalysisConfig
from cstor.handover import Handover
from cstor.lane import Lane
from cstor.stages import Stages
from cstor.store.layout import SECOND_NS
from cstor.store.segment import SegmentWriter
from cstor.store.writer import StoreWriter


class Lanes:
    """Made when the sources are open. Limits of the analysis are for the node: each lane has its share."""

    def __init__(
        self,
        sources: Sequence[Source],
        config: NodeConfig,
        store: StoreWriter,
        segments: Callable[[], SegmentWriter | None],
        clock: WallClock,
    ) -> None:
        count = max(len(source.readers) for source in sources)
        whole = AnalysisConfig(live=True)
        limits = AnalysisConfig(live=True, max_flows=whole.max_flows // count, max_rows=whole.max_rows // count)
        self.handover = Handover(store)
        self._lanes: list[Lane] = []
        for number in range(count):
            writer = segments()
            engine = Engine(
                limits,
                cast(StoreWriter, self.handover),
                writer,
                stages=Stages(f"capture-{number}"),
                duplicates_ns=int(config.duplicates_ms * 1e6),
                threaded=True,
            )
            readers = [(source, source.readers[number]) for source in sources if number < len(source.readers)]
            window = ReorderWindow(int(config.reorder_ms * 1e6))
            self._lanes.append(Lane(number, readers, engine, window, writer, clock))

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    def begin(self, second: int) -> None:
        """From this second on the store takes what is captured."""
        for lane in self:
            lane.begin_ns = second * SECOND_NS

    def start(self) -> None:
        for lane in self:
            lane.start()

    def stop(self) -> None:
        """Threads end, after a last look at the sockets."""
        for lane in self:
            lane.stop()

    def finish(self) -> None:
        """After `stop`: what is open is closed and handed over."""
        for lane in self:
            lane.finish()

    def check(self) -> None:
        """RuntimeError if a thread has ended: its share of the packets is lost, so the node must not go on."""
        for lane in self:
            if lane.error is not None:
                raise RuntimeError(f"a capture thread ended: {lane.error!r}") from lane.error

    @property
    def horizon_ns(self) -> int:
        """Everything before this has been handed over by all."""
        return min(lane.horizon_ns for lane in self)

    @property
    def engine(self) -> Engine:
        """For counting: that of the only lane, or a view of all."""
        return self._lanes[0].engine if len(self._lanes) == 1 else cast(Engine, _Engines(self._lanes))

    @property
    def window(self) -> ReorderWindow:
        return self._lanes[0].window if len(self._lanes) == 1 else cast(ReorderWindow, _Windows(self._lanes))

    @property
    def segments(self) -> SegmentWriter | None:
        found = [lane.segments for lane in self if lane.segments]
        return cast(SegmentWriter, _Segments(found)) if len(found) > 1 else found[0] if found else None

    @property
    def stages(self) -> list[Stages]:
        """Of the lanes beside the first, which is `engine`'s, and of the threads that close their seconds."""
        return [lane.engine.stages for lane in self._lanes[1:]] + [lane.engine.closing.stages for lane in self]


class _Engines:
    """The counters of several engines as if they were one."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._engines = [lane.engine for lane in lanes]
        self.stages = self._engines[0].stages
        self.analysis = self.decoder = self.fragments = self

    @property
    def sessions(self) -> int:
        return sum(engine.sessions for engine in self._engines)

    def counters(self) -> dict[str, int]:
        return _sum(engine.analysis.counters() for engine in self._engines)

    def malformed(self) -> dict[str, int]:
        return _sum(engine.decoder.malformed() for engine in self._engines)

    def statistics(self) -> dict[str, int]:
        return _sum(engine.decoder.fragments.statistics() for engine in self._engines)


class _Windows:
    """The counters of several reorder windows."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._windows = [lane.window for lane in lanes]

    @property
    def moved(self) -> int:
        return sum(window.moved for window in self._windows)

    @property
    def clamped(self) -> int:
        return sum(window.clamped for window in self._windows)

    @property
    def held(self) -> int:
        return sum(window.held for window in self._windows)


class _Segments:
    """The counters of several segment writers; the fullest queue and the first error stand for all."""

    def __init__(self, writers: Sequence[SegmentWriter]) -> None:
        self._writers = writers

    def __getattr__(self, name: str) -> int:
        return sum(getattr(writer, name) for writer in self._writers)

    @property
    def queued(self) -> float:
        return max(writer.queued for writer in self._writers)

    @property
    def error(self) -> OSError | None:
        return next((writer.error for writer in self._writers if writer.error), None)


def _sum(parts: Iterator[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)
