"""A capturing node: sources -> engine -> store in this process, the API in a child that reads the same files.

One thread does it all in turns of about ten milliseconds: it empties the sockets, waits out the reorder window,
analyses, hands over. Packet times are the kernel's, so a turn costs delay and no accuracy.
"""

from __future__ import annotations

import logging
import threading
import time

import numpy as np

from cstor.api.address import check_free
from cstor.apichild import ApiChild
from cstor.capture.reorder import ReorderWindow
from cstor.capture.source import Source, make_source
from cstor.config import NodeConfig
from cstor.counters import Parts
from cstor.engine import Engine, warm_up
from cstor.flows.analysis import AnalysisConfig
from cstor.stats import NodeStats
from cstor.store.clock import CaptureClock
from cstor.store.layout import SECOND_NS, WriterLock, open_store
from cstor.store.ledger import read_clock
from cstor.store.maintain import Maintenance
from cstor.store.node_rows import node_rows
from cstor.store.recover import recover
from cstor.store.retention import free_floor
from cstor.store.segment import SegmentWriter
from cstor.store.sequence import Sequence
from cstor.store.writer import StoreWriter

TURN_S = 0.01
BATCHES_PER_TURN = 64  # of one source, before the others and the clock get their turn
PUBLISH_S = 60.0
ORPHAN_S = 15.0  # the API of a node that was killed ends within this time
FLUSH_S = 0.5  # packets can be searched after this time

log = logging.getLogger("cstor.node")


class Node:
    """Made inert; `start` takes the store, the sockets and the API's port, `stop` gives them back."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._root = config.api.store
        self._sources: list[Source] = [make_source(options) for options in config.sources]
        self._window = ReorderWindow(int(config.reorder_ms * 1e6))
        self._lock = WriterLock(self._root, "run")
        self._api = ApiChild(config.api)
        self._clock = CaptureClock(self._root)
        self._closed_until = 0  # seconds before this are closed
        self._horizon_ns = 0
        self._published_at = self._flushed_at = time.monotonic()

    def start(self) -> None:
        """ConfigError or StoreError says in one line what is in the way."""
        config = self._config
        open_store(self._root)
        was_killed = read_clock(self._root) is not None
        check_free(config.api.listen, ORPHAN_S if was_killed else 0.0)
        self._lock.__enter__()
        recover(self._root)
        warm_up()
        for source in self._sources:
            source.open()
        sequence = Sequence(self._root)
        self._store = StoreWriter(self._root, sequence, live=True)
        self._segments = self._segment_writer(sequence) if config.store_packets else None
        duplicates_ns = int(config.duplicates_ms * 1e6)
        self._engine = Engine(AnalysisConfig(live=True), self._store, self._segments, duplicates_ns=duplicates_ns)
        parts = Parts(self._sources, self._engine, self._window, self._store, self._segments)
        self._stats = NodeStats(self._root, config.api.name, parts)
        self._counted_until = time.time_ns() // SECOND_NS
        self._maintenance = Maintenance(self._root, config.retention)
        self._clock.begin(time.time_ns() // SECOND_NS)
        self._write_status()
        self._maintenance.start()
        self._api.start()

    def run(self, stopping: threading.Event) -> None:
        """Capture until told to stop."""
        while not stopping.is_set():
            began = time.monotonic()
            self._turn()
            if began - self._flushed_at >= FLUSH_S:
                self._flush(began)
            stopping.wait(max(0.0, began + TURN_S - time.monotonic()))

    def stop(self) -> None:
        """Finish what is open; everything that was captured is in files afterwards."""
        now_ns = time.time_ns()
        self._turn()  # what came until now is still taken
        for source in self._sources:
            source.close()
        self._maintenance.stop()
        self._engine.analysis.feed(self._window.release(np.iinfo(np.int64).max))
        self._engine.finish()
        if self._segments:
            self._segments.close()
        self._store.close()
        self._tell_clock(now_ns // SECOND_NS)
        self._clock.end()
        self._api.stop()
        self._lock.__exit__(None, None, None)

    def _segment_writer(self, sequence: Sequence) -> SegmentWriter:
        floor = free_floor(self._root, self._config.retention.min_free)
        # Retention keeps the floor; packets stop below half of it, when others fill the disk or it falls in a minute.
        return SegmentWriter(self._root, sequence, live=True, min_free=floor // 2)

    def _turn(self) -> None:
        now_ns = time.time_ns()
        newest_ns = now_ns
        for source in self._sources:
            newest_ns = min(newest_ns, self._empty(source, now_ns))
        self._horizon_ns = max(self._horizon_ns, newest_ns - self._window.window_ns)
        with self._engine.stages.time("reorder"):
            released = self._window.release(self._horizon_ns)
        self._engine.analysis.feed(released)
        self._engine.analysis.advance(self._horizon_ns)
        self._engine.drain()
        self._count_second(now_ns // SECOND_NS)
        # The analysis holds two seconds open: the one of the horizon and the one before.
        self._tell_clock(self._horizon_ns // SECOND_NS - 1)

    def _empty(self, source: Source, now_ns: int) -> int:
        """Take what a source has; up to which time it has been emptied: now, unless there is more."""
        newest_ns = now_ns
        for _ in range(BATCHES_PER_TURN):
            with self._engine.stages.time("read"):
                batch = source.read(0.0)
            if batch is None:
                return now_ns
            self._window.clamp(batch.time_ns, time.time_ns(), self._closed_until * SECOND_NS)
            records = self._engine.receive(batch)
            with self._engine.stages.time("reorder"):
                self._window.add(records)
            newest_ns = int(batch.time_ns[-1])
        return min(now_ns, newest_ns)

    def _count_second(self, now_s: int) -> None:
        """The node's own counters of the second that has just ended are stored before the clock can pass it."""
        if now_s > self._counted_until:
            self._counted_until = now_s
            rows = node_rows(now_s - 1, self._stats.rows(self._clock.complete_until))
            self._store.tables.add("node", rows)

    def _tell_clock(self, closed_until: int) -> None:
        """Seconds before this have been handed to the store: say so, once the store has them on disk."""
        held = self._store.held
        if closed_until > self._closed_until or len(held):
            self._closed_until = max(self._closed_until, closed_until)
            self._clock.tell(self._closed_until, held.held_from, held.take_lost())

    def _flush(self, now: float) -> None:
        self._flushed_at = now
        if self._segments:
            self._segments.tick()
        self._store.retry()
        if now - self._published_at >= PUBLISH_S:
            self._published_at = now
            self._store.rotate()
        happened = self._api.watch()
        if happened:
            log.warning(happened)
        self._write_status()

    def _write_status(self) -> None:
        try:
            self._stats.write(self._clock.complete_until, self._api.restarts)
        except OSError as error:
            log.warning("status cannot be written: %s", error.strerror)
