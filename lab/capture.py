"""`lab pcap`: a scenario as a capture of the mirror target's interface (VXLAN in UDP, nanoseconds), and its truth.

The same arguments give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lab.events import SECOND, Events
from lab.frames import address_bytes, outer_head
from lab.hosts import Interface
from lab.scenario import Scenario
from lab.truth import Truth
from lab.truthfile import TruthFile
from lab.workload import start
from wire.packets.batch import MAX_PACKETS, batch_of
from wire.packets.layout import LINK_ETHERNET
from wire.packets.pcap import PcapWriter

START_S = 1_704_067_200  # 2024-01-01T00:00:00Z
TARGET = address_bytes("10.20.8.8")
VXLAN_PORT = 4789
SOURCE_PORT = 65_330


class CaptureSink:
    """Collects mirrored packets and writes them by batches."""

    def __init__(self, writer: PcapWriter) -> None:
        self._writer = writer
        self._frames: list[bytes] = []
        self._times: list[int] = []

    def take(self, time_ns: int, interface: Interface, payload: bytes) -> int:
        head = outer_head(interface.address, TARGET, SOURCE_PORT, VXLAN_PORT, len(payload))
        self._frames.append(head + payload)
        self._times.append(time_ns)
        if len(self._frames) == MAX_PACKETS:
            self.flush()
        return time_ns

    def flush(self) -> None:
        if self._frames:
            self._writer.write(batch_of(self._frames, self._times))
        self._frames, self._times = [], []


def write_capture(
    scenario: Scenario,
    path: Path,
    seconds: float = 60.0,
    seed: int = 1,
    rate: float = 1.0,
    start_s: float = START_S,
    progress: Callable[[float], None] = lambda share: None,
) -> int:
    """Write PATH and its truth PATH.json; answers the number of packets. Both files appear complete, or not at all."""
    start_ns = int(start_s * SECOND)
    end_ns = start_ns + int(seconds * SECOND)
    about = {"mode": "pcap", "scenario": scenario.name, "seed": seed, "rate": rate, "seconds": seconds}
    file = TruthFile(path.with_name(path.name + ".json"), about, None, None)
    truth = Truth(file.add)
    events = Events(start_ns, seed)
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with PcapWriter(hidden, LINK_ETHERNET, nanoseconds=True) as writer:
            sink = CaptureSink(writer)
            centre = start(scenario, events, truth, sink.take, rate)
            for at_ns in range(start_ns, end_ns, SECOND):
                events.run_until(min(at_ns + SECOND, end_ns))
                progress((events.now_ns - start_ns) / (end_ns - start_ns))
            sink.flush()
        truth.finish()
        file.write(centre.hosts)
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
    return writer.packets
