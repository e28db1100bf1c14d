"""A capturing node: sources -> engines -> store in this process, the API in a child that reads the same files.

Each capture thread empties its sockets and analyses (lane.py). This thread writes what they close, tells the clock up
to where all of them have come, looks after sources and API, and writes the status: whatever it waits for, the rings go
on being emptied.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable

from cstor.api.address import check_free
from cstor.apichild import ApiChild
from cstor.capture.reorder import warm_up as warm_up_window
from cstor.capture.source import Source, make_source
from cstor.capture.wallclock import WallClock
from cstor.config import ConfigError, NodeConfig
from cstor.counters import Parts
from cstor.engine import warm_up
from cstor.lanes import Lanes
from cstor.stages import Stages
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

TURN_S = 0.02
PUBLISH_S = 60.0
ORPHAN_S = 15.0  # the API of a node that was killed ends within this time
CHECK_S = 0.5
SWITCH_S = 0.0005  # a capture thread waits so long for Python's lock, often: by default it is ten times that

log = logging.getLogger("cstor.node")


class Node:
    """Made inert; `start` takes the store, the sockets and the API's port, `stop` gives them back."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._root = config.api.store
        self._sources: list[Source] = [make_source(options) for options in config.sources]
        names = [source.name for source in self._sources]
        if len(set(names)) < len(names):
            raise ConfigError("two [[source]] tables have the same name; give each a name of its own")
        self._lock = WriterLock(self._root, "run")
        self._api = ApiChild(config.api)
        self._clock = CaptureClock(self._root)
        self._wall = WallClock()
        self._closed_until = 0  # seconds before this are closed
        self._stages = Stages("main")
        self._states: dict[str, str] = {}
        self._is_observing = True
        self._published_at = self._checked_at = time.monotonic()

    def start(self) -> None:
        """ConfigError or StoreError says in one line what is in the way."""
        config = self._config
        open_store(self._root)
        was_killed = read_clock(self._root) is not None
        check_free(config.api.listen, ORPHAN_S if was_killed else 0.0)
        self._lock.__enter__()
        warm_up()  # first: a segment that a kill left is decoded anew
        warm_up_window()
        recover(self._root)
        sys.setswitchinterval(SWITCH_S)
        gc.collect()
        gc.freeze()  # what is there now stays: looking through all of it would stop the capture for 50 ms
        for source in self._sources:
            source.warm_up()
            source.open()
            for warning in source.warnings:
                log.warning(warning)
        self._sequence = Sequence(self._root)
        self._store = StoreWriter(self._root, self._sequence, live=True)
        self._lanes = Lanes(self._sources, config, self._store, self._segment_writer, self._wall)
        lanes = self._lanes
        stages = [*lanes.stages, self._stages]
        parts = Parts(self._sources, lanes.engine, lanes.window, self._store, lanes.segments, stages)
        self._stats = NodeStats(self._root, config.api.name, parts)
        self._maintenance = Maintenance(self._root, config.retention)
        now_s = self._wall.now_ns() // SECOND_NS
        self._counted_until = now_s
        self._clock.begin(now_s)
        lanes.begin(now_s)
        self._write_status()
        self._maintenance.start()
        self._api.start()

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Capture until told to stop."""
        self._lanes.start()
        while not is_stopping():
            time.sleep(TURN_S)
            self._turn()
            now = time.monotonic()
            if now - self._checked_at >= CHECK_S:
                self._checked_at = now
                self._check(now)

    def stop(self) -> None:
        """Finish what is open; everything that was captured is in files afterwards."""
        gc.unfreeze()
        now_ns = self._wall.now_ns()
        self._lanes.stop()  # what came until now is still taken
        for source in self._sources:
            source.close()
        self._maintenance.stop()
        self._lanes.finish()
        self._lanes.handover.carry_out()
        self._store.close()
        self._tell_clock(now_ns // SECOND_NS)
        self._clock.end()
        self._api.stop()
        self._lock.__exit__(None, None, None)

    def _segment_writer(self) -> SegmentWriter | None:
        if not self._config.store_packets:
            return None
        floor = free_floor(self._root, self._config.retention.min_free)
        # Retention keeps the floor; packets stop below half of it, when others fill the disk or it falls in a minute.
        return SegmentWriter(self._root, self._sequence, live=True, min_free=floor // 2)

    def _turn(self) -> None:
        """Write what the capture threads have handed over."""
        horizon_ns = self._lanes.horizon_ns  # before looking at what was handed over until then
        with self._stages.time("write"):
            self._lanes.handover.carry_out()
        self._count_second(self._wall.now_ns() // SECOND_NS)
        # The analysis holds two seconds open: the one of the horizon and the one before.
        self._tell_clock(horizon_ns // SECOND_NS - 1)

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

    def _check(self, now: float) -> None:
        """Twice a second: everything that may have failed or become due."""
        self._lanes.check()
        self._check_sources()
        self._store.retry()
        if now - self._published_at >= PUBLISH_S:
            self._published_at = now
            self._store.rotate()
        happened = self._api.watch()
        if happened:
            log.warning(happened)
        self._write_status()

    def _check_sources(self) -> None:
        """While one of them receives nothing, what comes is not all there was: the time does not count as observed."""
        for source in self._sources:
            source.check()
            state = f"{source.state}: {source.problem}" if source.problem else source.state
            if state != self._states.setdefault(source.name, "capturing"):
                self._states[source.name] = state
                log.warning("source %s: %s", source.name, state)
        is_observing = all(source.state == "capturing" for source in self._sources)
        if is_observing != self._is_observing:
            self._is_observing = is_observing
            if is_observing:
                self._clock.resume(self._wall.now_ns() // SECOND_NS)
            else:
                self._clock.pause()

    def _write_status(self) -> None:
        try:
            self._stats.write(self._clock.complete_until, self._api.restarts)
        except OSError as error:
            log.warning("status cannot be written: %s", error.strerror)
