"""Reading, decoding and full analysis on one core, nothing stored: `python -m bench.analysis [TRACE] [--quick]`.

The analysis is the node's own engine without a store: what it closes (seconds with all their buckets, sessions) is
taken out and dropped. Kernels are compiled before the clock runs; the least CPU time of three runs counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.pinned import pin
from bench.table import megabytes, per_packet, speed, table, verdict
from bench.traces import Traces, traces_of
from cstor.capture.pcapfile import PcapFileSource
from cstor.engine import Decoder, Engine, warm_up
from cstor.flows.analysis import AnalysisConfig
from wire.packets.batch import PacketBatch

TARGET = 3_000_000  # packets/s
VXLAN_SHARE = 0.8
HEAD = ("step", "packets", "packets/s", "ns/packet", "MB/s", "target")


class Measured(NamedTuple):
    """Packets that were read, bytes of the file that they took, CPU seconds."""

    packets: int
    size: int
    cpu_s: float

    @property
    def rate(self) -> float:
        """Packets per second."""
        return self.packets / max(self.cpu_s, 1e-9)


def into_page_cache(path: Path) -> None:
    """Read a file once, so that no run waits for the disk."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 22):
            pass


def measured(
    trace: Path, step: Callable[[Path, int], tuple[int, int]], limit: int = 1 << 62, runs: int = 3
) -> Measured:
    """The fastest of some runs of `step` over the first `limit` packets."""
    return min((_once(trace, step, limit) for _ in range(runs)), key=lambda run: run.cpu_s)


def _once(trace: Path, step: Callable[[Path, int], tuple[int, int]], limit: int) -> Measured:
    began = time.process_time()
    packets, size = step(trace, limit)
    return Measured(packets, size, time.process_time() - began)


def get_ready(trace: Path) -> None:
    """Load every kernel, those of reading too; after an update they are compiled."""
    warm_up()
    analysed(trace, 1)


def only_read(trace: Path, limit: int) -> tuple[int, int]:
    """Records to frames."""
    return _walk(trace, limit, lambda batch: None)


def decoded(trace: Path, limit: int) -> tuple[int, int]:
    """Frames to packets."""
    return _walk(trace, limit, Decoder().decode)


def analysed(trace: Path, limit: int = 1 << 62) -> tuple[int, int]:
    """Packets to buckets and sessions."""
    engine = Engine(AnalysisConfig())
    read = _walk(trace, limit, engine.take)
    engine.finish()
    return read


def _walk(trace: Path, limit: int, take: Callable[[PacketBatch], object]) -> tuple[int, int]:
    source, packets = PcapFileSource(trace), 0
    source.open()
    try:
        while packets < limit and (batch := source.read()) is not None:
            take(batch)
            packets += batch.packets
        return packets, source.bytes_read
    finally:
        source.close()


def rows(traces: Traces, limit: int = 1 << 62) -> list[tuple[str, ...]]:
    """A row per step, and one for the VXLAN trace."""
    found = []
    for name, step in (("read", only_read), ("read + decode", decoded), ("read + decode + analysis", analysed)):
        plain = measured(traces.plain, step, limit)
        found.append(_row(name, plain, "3,000,000: " + verdict(plain.rate, TARGET) if step is analysed else "-"))
    if traces.given:
        return found
    vxlan = measured(traces.vxlan, analysed, limit)
    share = vxlan.rate / plain.rate
    text = f"{VXLAN_SHARE} of the plain trace: {share:.2f}, {verdict(share, VXLAN_SHARE)}"
    return [*found, _row("the same inside VXLAN", vxlan, text)]


def _row(name: str, run: Measured, target: str) -> tuple[str, ...]:
    figures = (speed(run.packets, run.cpu_s), per_packet(run.packets, run.cpu_s), megabytes(run.size, run.cpu_s))
    return name, f"{run.packets:,}", *figures, target


def main() -> None:
    traces = traces_of(None, __doc__)
    for trace in (traces.plain,) if traces.given else (traces.plain, traces.vxlan):
        into_page_cache(trace)  # and made, if need be, before this process is bound to a core
    pin()
    get_ready(traces.plain)
    print(table(HEAD, rows(traces)))


if __name__ == "__main__":
    main()
