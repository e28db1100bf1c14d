"""A capture thread: empties its sockets, waits out the reorder window, analyses, hands over what is closed.

It looks every ten milliseconds. Packet times are the kernel's, so a look costs delay and no accuracy. What it finds is
worked off in turns of a few batches, so that records are analysed while they are in the processor's cache. Lane number
i reads thread i of every source: of two interfaces that carry one direction each, with equally many threads,
both directions of a flow meet in one lane.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

import numpy as np

from cstor.capture.reorder import ReorderWindow
from cstor.capture.source import Reader, Source
from cstor.capture.wallclock import WallClock
from cstor.engine import Engine
from cstor.store.layout import SECOND_NS
from cstor.store.segment import SegmentWriter
from wire.packets.batch import PacketBatch

LOOK_S = 0.01
BATCHES_PER_TURN = 4  # of one source, before they are analysed and the others and the clock get their turn
LAST_TURNS = 64
UNSETTLED_TURNS = 64  # one after the other in which no packet tells up to which time all has come
DRAIN_NS = 100_000_000  # what is finished is handed over so often, and when a second ends
FLUSH_S = 0.5  # packets can be searched after this time
END_OF_TIME = np.iinfo(np.int64).max

log = logging.getLogger("cstor.lane")


class Lane:
    """Decoder, analysis and segments of one thread. `horizon_ns`: everything before it has been handed over."""

    def __init__(
        self,
        number: int,
        readers: Sequence[tuple[Source, Reader]],
        engine: Engine,
        window: ReorderWindow,
        segments: SegmentWriter | None,
        clock: WallClock,
    ) -> None:
        self.engine = engine
        self.window = window
        self.segments = segments
        self.horizon_ns = 0
        self.begin_ns = 0  # of the capture: what is older cannot have come live
        self.error: BaseException | None = None  # what ended the thread
        self._reached_ns = 0  # everything before it has been analysed
        self._has_more = False
        self._unsettled = 0  # turns
        self._readers = readers
        self._clock = clock
        self._flushed_at = time.monotonic()
        self._failing: set[Source] = set()
        self._drained_ns = 0
        self._drops = self._drops_told_s = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"capture-{number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after one more look at the sockets."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self.error is None:
            for _ in range(LAST_TURNS):
                if not self.turn():
                    break

    def finish(self) -> None:
        """After `stop`: flows become sessions, open seconds close, segments are sealed."""
        if self.error is None:
            self.engine.analysis.feed(self.window.release(END_OF_TIME))
            self.engine.finish()
        if self.segments:
            self.segments.close()

    def turn(self) -> bool:
        """Take what the sockets have, or a part of it, analyse what has waited long enough; whether there may be more
        to take."""
        now_ns = self._clock.now_ns()
        settled_ns = now_ns
        self._has_more = False
        for source, reader in self._readers:
            settled_ns = min(settled_ns, self._empty(source, reader, now_ns))
        engine, horizon_ns = self.engine, max(self._reached_ns, settled_ns - self.window.window_ns)
        with engine.stages.time("reorder"):
            released = self.window.release(horizon_ns)
        engine.analysis.feed(released)
        engine.analysis.advance(horizon_ns)
        self._count_drops(now_ns // SECOND_NS)
        before_ns, self._reached_ns = self._reached_ns, horizon_ns
        if horizon_ns - self._drained_ns >= DRAIN_NS or horizon_ns // SECOND_NS > before_ns // SECOND_NS:
            self._drained_ns = horizon_ns
            engine.drain()
            engine.closing.after(lambda: self._tell(horizon_ns))
        return self._has_more

    def _tell(self, horizon_ns: int) -> None:
        self.horizon_ns = horizon_ns

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                has_more = self.turn()
                if self.segments and began - self._flushed_at >= FLUSH_S:
                    self._flushed_at = began
                    self.segments.tick()
                if not has_more:
                    self._stopping.wait(max(0.0, began + LOOK_S - time.monotonic()))
        except BaseException as error:
            log.exception("the capture thread %s ended", self._thread.name)
            self.error = error

    def _count_drops(self, now_s: int) -> None:
        """Links show what was lost in a second beside what came."""
        if now_s > self._drops_told_s:
            before, self._drops = self._drops, sum(sum(reader.drops().values()) for _, reader in self._readers)
            self._drops_told_s = now_s
            self.engine.points.add_drops(now_s - 1, self._drops - before)

    def _empty(self, source: Source, reader: Reader, now_ns: int) -> int:
        """Take what a source has; up to which time that is all: the last packet's, or now less the source's delay."""
        settled_ns = now_ns - reader.delay_ns
        for _ in range(BATCHES_PER_TURN):
            with reader.lock:
                with self.engine.stages.time("read"):
                    batch = self._read(source, reader)
                if batch is None:
                    self._unsettled = 0
                    return settled_ns
                newest_ns = self._take(reader, batch)
            settled_ns = max(settled_ns, min(now_ns, newest_ns))
        self._has_more = True
        self._unsettled = 0 if newest_ns else self._unsettled + 1
        # What waits behind packets of wrong times may be older than now; but not for ever.
        return min(now_ns, newest_ns) if self._unsettled < UNSETTLED_TURNS else now_ns

    def _read(self, source: Source, reader: Reader) -> PacketBatch | None:
        """A source that fails is asked again in the next turn."""
        try:
            batch = reader.read(0.0)
        except OSError as error:
            if source not in self._failing:
                log.warning("source %s: %s", source.name, error.strerror or error)
            self._failing.add(source)
            source.problem = error.strerror or str(error)
            return None
        if self._failing and batch is not None and source in self._failing:
            self._failing.discard(source)
            source.problem = None
        return batch

    def _take(self, reader: Reader, batch: PacketBatch) -> int:
        """Decode and store a batch, while its memory is ours; answers its newest time, 0 if it had wrong ones."""
        ahead_ns = self._clock.ahead_ns
        if ahead_ns and reader.kernel_times:
            np.add(batch.time_ns, ahead_ns, out=batch.time_ns)
            self.window.clamped += batch.packets
        # Seconds before the one that ends at the horizon are closed.
        closed_ns = max(self.begin_ns, (self._reached_ns // SECOND_NS - 1) * SECOND_NS)
        clamped = self.window.clamped
        # What waited when the capture began came before; a first look that is late must not put it into a second that
        # counts as observed.
        arrival_ns = None if self._reached_ns else self.begin_ns or None
        self.window.clamp(batch.time_ns, self._clock.now_ns(), closed_ns, arrival_ns)
        is_right = self.window.clamped == clamped
        self.engine.receive(batch, self.window.room(batch.packets))
        with self.engine.stages.time("reorder"):
            self.window.take(batch.time_ns, reader)
        return int(batch.time_ns.max()) if is_right else 0
