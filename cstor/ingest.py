"""Captures into a store: each file a stream of its own, published when its end is reached.

What was read before a fault stays. Hours that readers may have seen complete get a new revision.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cstor.buckets.second import ClosedSecond
from cstor.capture.pcapfile import PcapFileSource
from cstor.engine import Engine, warm_up
from cstor.flows.analysis import AnalysisConfig
from cstor.store.compact import compact
from cstor.store.layout import SECOND_NS, WriterLock, hour_of, open_store
from cstor.store.ledger import raise_revisions, read_ledger, united, write_ledger
from cstor.store.live import LiveTail
from cstor.store.recover import recover
from cstor.store.segment import SegmentWriter
from cstor.store.sequence import Sequence
from cstor.store.snapshot import take_snapshot
from cstor.store.writer import StoreWriter
from wire.packets.batch import PacketBatch
from wire.packets.capturefile import CaptureError
from wire.packets.pcap import PcapReader

DAY_NS = 86_400 * SECOND_NS
FUTURE, BEFORE_1970 = "time_in_future", "time_before_1970"

MANY_PARTS = 24  # of an hour: a large capture is published in pieces, which are then put together

Progress = Callable[[Path, int], None]


@dataclass
class Summary:
    """What `ingest` prints as its last line."""

    files: int = 0
    packets: int = 0
    ip_packets: int = 0
    ip_bytes: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    flows: int = 0
    sessions: int = 0
    seconds: set[int] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "packets": self.packets,
            "ip_packets": self.ip_packets,
            "ip_bytes": self.ip_bytes,
            "malformed": dict(sorted(self.malformed.items())),
            "flows": self.flows,
            "sessions": self.sessions,
            "seconds": len(self.seconds),
        }


class Ingest:
    """Writes into one store; use it in a `with`. StoreError where another process writes."""

    def __init__(self, root: Path, progress: Progress | None = None, duplicates_ns: int = 0) -> None:
        self.summary = Summary()
        self._duplicates_ns = duplicates_ns
        self._root = open_store(root)
        self._progress = progress or (lambda path, bytes_read: None)
        self._lock = WriterLock(root, "ingest")

    def __enter__(self) -> Ingest:
        self._lock.__enter__()
        warm_up()
        recover(self._root)
        sequence = Sequence(self._root)
        self._store = StoreWriter(self._root, sequence, live=False)
        self._segments = SegmentWriter(self._root, sequence, live=False)
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._segments.close()
            self._store.close()
            compact(self._root, min_parts=MANY_PARTS)
        finally:
            self._lock.__exit__(*error)

    def file(self, path: Path) -> None:
        """Read one capture; CaptureError after what could be read is in the store."""
        source = PcapFileSource(path)
        source.open()
        self._segments.lasting = isinstance(source.reader, PcapReader) and source.reader.chunks.is_lasting
        stream = _Stream(self._root, self._store, self._segments, self.summary, self._duplicates_ns)
        try:
            while (batch := source.read()) is not None:
                stream.take(batch)
                self._progress(path, source.bytes_read)
        except BaseException as error:
            if isinstance(error, CaptureError) and error.partial:
                self._end(stream, source)
            else:
                stream.abandon()
            raise
        self._end(stream, source)

    def _end(self, stream: _Stream, source: PcapFileSource) -> None:
        source.close()
        stream.finish()
        self.summary.files += 1
        self.summary.packets += source.packets + source.other_records


class _Stream:
    """One file on its way into the store."""

    def __init__(
        self, root: Path, store: StoreWriter, segments: SegmentWriter, summary: Summary, duplicates_ns: int
    ) -> None:
        self._root = root
        self._store = store
        self._segments = segments
        self._summary = summary
        self._engine = Engine(AnalysisConfig(), store, segments, self._note, None, duplicates_ns, threaded=True)
        self._limit_ns = time.time_ns() + DAY_NS
        self._complete_until = take_snapshot(root, LiveTail(root)).complete_until
        self._published = store.published
        self._newest = 0
        self._changed: set[int] = set()
        self._first_ns = np.iinfo(np.int64).max
        self._last_ns = -1

    def take(self, batch: PacketBatch) -> None:
        batch = self._believable(batch)
        if batch.packets:
            self._first_ns = min(self._first_ns, int(batch.time_ns.min()))
            self._last_ns = max(self._last_ns, int(batch.time_ns.max()))
            self._engine.take(batch)

    def finish(self) -> None:
        """Publish, then say what was observed and which hours changed."""
        engine, summary = self._engine, self._summary
        engine.finish()
        self._segments.flush()
        self._store.rotate()
        self._store.flush()
        if self._last_ns >= 0:
            ledger = read_ledger(self._root)
            span = (self._first_ns // SECOND_NS, self._last_ns // SECOND_NS + 1)
            ledger.observed = united([*ledger.observed, span])
            write_ledger(self._root, ledger)
        if self._changed:
            raise_revisions(self._root, self._changed)
        summary.ip_packets += engine.decoder.ip_packets
        summary.ip_bytes += engine.decoder.ip_bytes
        summary.malformed.update(engine.decoder.malformed())
        summary.flows += engine.analysis.counters()["flows_opened"]
        summary.sessions += engine.sessions

    def abandon(self) -> None:
        """Nothing more will come: what was closed so far is with the store, and nobody else uses it any more."""
        self._engine.closing.wait()

    def _believable(self, batch: PacketBatch) -> PacketBatch:
        """Without the packets of which the time cannot be: they are counted and refused."""
        if not batch.packets or (batch.time_ns.max() <= self._limit_ns and batch.time_ns.min() >= 0):
            return batch
        ahead, before = batch.time_ns > self._limit_ns, batch.time_ns < 0
        self._summary.malformed[FUTURE] += int(np.count_nonzero(ahead))
        self._summary.malformed[BEFORE_1970] += int(np.count_nonzero(before))
        self._summary.malformed += Counter()  # drops what is zero
        kept = ~(ahead | before)
        return batch._replace(
            offset=batch.offset[kept],
            captured=batch.captured[kept],
            wire_length=batch.wire_length[kept],
            time_ns=batch.time_ns[kept],
        )

    def _note(self, second: ClosedSecond) -> None:
        """Remember the second; if readers may have seen its hour complete, write down first that it changes."""
        t, hour = second.t, hour_of(second.t)
        self._summary.seconds.add(t)
        was_complete = self._complete_until and hour < self._complete_until
        comes_late = t < self._newest and self._store.published > self._published
        self._newest = max(self._newest, t)
        if (was_complete or comes_late) and hour not in self._changed:
            self._changed.add(hour)
            ledger = read_ledger(self._root)
            ledger.pending = sorted({*ledger.pending, hour})
            write_ledger(self._root, ledger)
