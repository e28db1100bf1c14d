"""One stream of packets through the node: decode, analyse, store. Knows nothing of files, sockets and clocks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import numpy as np

from cstor.buckets.points import Points
from cstor.buckets.points import warm_up as warm_up_points
from cstor.buckets.second import ClosedSecond
from cstor.closing import Closing, Finished
from cstor.flows.analysis import Analysis, AnalysisConfig
from cstor.flows.analysis import warm_up as warm_up_analysis
from cstor.flows.duplicates import Duplicates
from cstor.flows.duplicates import warm_up as warm_up_duplicates
from cstor.flows.memory import keep_freed
from cstor.stages import Stages
from cstor.store.index_build import warm_up as warm_up_index
from cstor.store.parquet import warm_up as warm_up_parquet
from cstor.store.records import warm_up as warm_up_records
from cstor.store.segment import SegmentWriter
from cstor.store.writer import StoreWriter
from wire.packets.batch import MAX_PACKETS, PacketBatch, batch_of
from wire.packets.decode import decode_batch
from wire.packets.fragments import FragmentTable, new_fragment_table
from wire.packets.jit import kernel
from wire.packets.layout import ERRORS, new_error_counters, new_packets


class Decoder:
    """Batches into PACKET records, with what was wrong counted by reason. Lives as long as its stream."""

    def __init__(self) -> None:
        self.errors = new_error_counters()
        self.fragments: FragmentTable = new_fragment_table()
        self.packets = 0
        self._totals = np.zeros(2, np.int64)  # IP packets, their bytes
        self._records = new_packets(MAX_PACKETS)

    def decode(self, batch: PacketBatch, room: np.ndarray | None = None) -> np.ndarray:
        """PACKET records of a batch: in `room`, or valid until the next one."""
        records = self._records if room is None else room
        count = decode_batch(batch, records, self.errors, self.fragments)
        records = records[:count]
        self.packets += count
        count_ip(records, self._totals)
        return records

    @property
    def ip_packets(self) -> int:
        return int(self._totals[0])

    @property
    def ip_bytes(self) -> int:
        """Of innermost IP packets, whole by their length fields."""
        return int(self._totals[1])

    def malformed(self) -> dict[str, int]:
        """Malformed packets by reason."""
        return {ERRORS[reason]: int(n) for reason, n in enumerate(self.errors) if reason and n}


@kernel
def count_ip(records, totals):  # type: ignore[no-untyped-def]
    """Add the records' IP packets and bytes to the totals."""
    for at in range(len(records)):
        if records[at]["version"] != 0:
            totals[0] += 1
            totals[1] += records[at]["ip_length"]


class Engine:
    """Feeds an analysis and hands what it closes to the store; either may be absent, for measuring the other.
    `threaded`: what is closed is folded and stored in a thread of its own, until `finish` has returned."""

    def __init__(
        self,
        config: AnalysisConfig,
        store: StoreWriter | None = None,
        segments: SegmentWriter | None = None,
        on_second: Callable[[ClosedSecond], None] | None = None,
        stages: Stages | None = None,
        duplicates_ns: int = 0,
        threaded: bool = False,
    ) -> None:
        self.stages = stages or Stages()
        self.decoder = Decoder()
        self.duplicates = Duplicates(duplicates_ns)
        self.points = Points()
        self.analysis = Analysis(config, self.stages)
        self.closing = Closing(store, on_second, self.stages, threaded, waits=not config.live)
        self._threaded = threaded
        self._clock: int | None = None  # of the analysis, when points were last looked for
        self._store = store
        self._segments = segments

    def take(self, batch: PacketBatch) -> None:
        """A batch whose packets are in the order in which they are to be analysed."""
        self.analysis.feed(self.receive(batch))
        self.drain()

    def receive(self, batch: PacketBatch, room: np.ndarray | None = None) -> np.ndarray:
        """Store the packets and decode them (into `room` if there is one); the caller feeds the records to the
        analysis, reordered maybe."""
        self.stages.packets += batch.packets
        with self.stages.time("decode"):
            records = self.decoder.decode(batch, room)
            self.duplicates.mark(batch, records)
            if self._store:
                self.points.add(records)
        if self._segments:
            with self.stages.time("write"):
                self._segments.append(batch, records)
        return records

    @property
    def sessions(self) -> int:
        """Sessions that went to the store."""
        return self.closing.sessions

    def drain(self) -> None:
        """Hand over what the analysis has finished."""
        self._drain(self.analysis.clock)

    def finish(self) -> None:
        """The stream has ended: all flows become sessions, all seconds close, all is with the store."""
        self.analysis.finish()
        self._drain(None)
        self.closing.wait()

    def _drain(self, clock: int | None) -> None:
        """Links' seconds close with the analysis': when its clock is two seconds on; without a clock, all."""
        points = None
        if self._store and (clock is None or clock != self._clock or not self._threaded):
            points = self.points.take(None if clock is None else clock - 1)
        self._clock = clock
        self.closing.take(Finished(self.analysis.take_raw(), self.analysis.take_sessions(), points))


COMPILING_AFTER_S = 3.0  # loading compiled kernels takes less
SYN_FRAME = bytes.fromhex(  # 192.0.2.1:40000 > 192.0.2.2:443, so that there is a row and a session
    "0000000000020000000000010800450000280001400040060000c0000201c00002029c4001bb00000001000000005002ffff00000000"
)


def warm_up() -> None:
    """Load the kernels before packets wait for them; after an update they are compiled, which is said."""
    keep_freed()
    notice = threading.Timer(COMPILING_AFTER_S, _say_compiling)
    notice.daemon = True
    notice.start()
    engine = Engine(AnalysisConfig())
    engine.take(batch_of([bytes(64), SYN_FRAME], [1_000_000_000, 1_000_001_000]))
    engine.analysis.finish()
    engine.analysis.take_seconds()
    ended = engine.analysis.take_sessions()
    assert ended is not None and len(ended.rows)
    engine.finish()
    warm_up_analysis()
    warm_up_points()
    warm_up_duplicates()
    warm_up_parquet()
    warm_up_index()
    warm_up_records()
    notice.cancel()


def _say_compiling() -> None:
    print("cstor: compiling the packet kernels, once after an update (about a minute)", file=sys.stderr, flush=True)
