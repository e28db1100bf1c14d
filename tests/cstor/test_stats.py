"""A node's own counters: of real packets through real parts, read back as status and as rows of a second."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cstor.capture.reorder import ReorderWindow
from cstor.capture.vxlan import VxlanSource
from cstor.counters import Key, Parts, counts, grown
from cstor.engine import Engine
from cstor.flows.analysis import AnalysisConfig
from cstor.metrics.registry import BASES_OF
from cstor.stages import STAGES
from cstor.stats import NodeStats
from cstor.store.layout import open_store
from cstor.store.node_rows import node_rows
from cstor.store.segment import SegmentWriter
from cstor.store.sequence import Sequence
from cstor.store.writer import StoreWriter
from wire.packets.tunnel import vxlan_heads
from wire.packets.udp import UdpSender

FRAME = bytes(12) + b"\x08\0" + bytes.fromhex("4500006400010000401100000a0000010a00000213880050005000000000")
PACKETS = 64


class Capture:
    """The parts of a node and packets for its source."""

    def __init__(self, root: Path) -> None:
        sequence = Sequence(open_store(root))
        self.source = VxlanSource("127.0.0.1:0", name="mirror")
        self.source.open()
        self.store = StoreWriter(root, sequence, live=True)
        self.segments = SegmentWriter(root, sequence, live=True)
        self.engine = Engine(AnalysisConfig(live=True), self.store, self.segments)
        self.parts = Parts([self.source], self.engine, ReorderWindow(0), self.store, self.segments)
        self.stats = NodeStats(root, "tested", self.parts)
        self.status_file = root / "live" / "status.json"
        self._sender = UdpSender("127.0.0.1", self.source.port)

    def send(self, packets: int = PACKETS) -> None:
        frame = FRAME + bytes(114 - len(FRAME))
        buffer = np.frombuffer(bytearray(frame * packets), np.uint8)
        offset = np.arange(packets, dtype=np.int64) * len(frame)
        heads = vxlan_heads(np.full(packets, 7, np.int32))
        assert self._sender.send(buffer, offset, np.full(packets, len(frame), np.int32), heads) == packets

    def take(self) -> None:
        """Read and analyse all that was sent."""
        while (batch := self.source.read(0.2)) is not None:
            self.engine.take(batch)
        self.segments.tick()

    def close(self) -> None:
        self._sender.close()
        self.source.close()
        self.segments.close()
        self.store.close()


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[Capture]:
    running = Capture(tmp_path / "store")
    yield running
    running.close()


def test_it_says_what_the_registry_knows(capture: Capture) -> None:
    capture.send()
    capture.take()
    rows = capture.stats.rows(int(time.time()) - 2)
    assert {row[2] for row in rows} <= set(BASES_OF["node"])
    stored = node_rows(1_700_000_000, rows)
    assert set(stored["t"].tolist()) == {1_700_000_000}


def test_it_gives_counters_as_growth_and_levels_as_they_are(capture: Capture) -> None:
    def received() -> dict[str, int]:
        rows = capture.stats.rows(int(time.time()) - 2)
        return {name: value for source, thread, name, _, value in rows if (source, thread) == ("mirror", "capture-0")}

    capture.send()
    capture.take()
    assert received()["packets"] == PACKETS
    capture.send(5)
    capture.take()
    second = received()
    assert second["packets"] == 5
    assert 0 <= second["ring_fill"] <= 10_000
    assert received()["packets"] == 0


def test_it_says_how_much_of_the_buffer_waits(capture: Capture) -> None:
    capture.send()
    fills = [n for key, n in _levels(capture).items() if key == Key("mirror", "capture-0", "ring_fill", "")]
    assert fills and 0 < fills[0] <= 10_000


def _levels(capture: Capture) -> dict[Key, int]:
    rows = capture.stats.rows(int(time.time()))
    return {Key(*row[:4]): row[4] for row in rows if BASES_OF["node"][row[2]].kind == "max"}


def test_it_writes_a_status_of_everything(capture: Capture) -> None:
    capture.send()
    capture.take()
    capture.stats.write(int(time.time()) - 2, api_restarts=1)
    status = json.loads(capture.status_file.read_text())
    (source,) = status["sources"]
    assert source["packets"] == PACKETS and source["packets_per_s"] > 0 and source["state"] == "capturing"
    (thread,) = source["threads"]
    assert thread["packets"] == PACKETS and thread["bits_per_s"] > 0
    assert status["table"]["flows"] == 1 and 0 < status["table"]["occupancy"] < 0.01
    assert status["gauges"]["api_restarts"] == 1 and 1 < status["gauges"]["lag_seconds"] < 10
    assert status["gauges"]["memory"] > 1 << 20
    assert status["problem"] is None
    assert set(status["stages"]) == set(STAGES)
    for stage in ("decode", "analyse", "write"):
        assert status["stages"][stage]["ns_per_packet"] > 0
    assert any(thread["name"] == "main" and thread["cpu_s"] > 0 for thread in status["threads"])


def test_it_tells_packets_that_the_disk_did_not_take(capture: Capture) -> None:
    capture.stats.write(int(time.time()), 0)
    capture.segments.dropped_full += 12
    capture.segments.error = OSError(28, "No space left on device")
    capture.stats.write(int(time.time()), 0)
    status = json.loads(capture.status_file.read_text())
    assert status["drops"]["disk_full"] == 12
    assert status["problem"] == "packets cannot be written: No space left on device"
    alarms = {(alarm["key"], alarm["severity"]) for alarm in status["alarms"]}
    assert alarms >= {("packets_not_written", "critical"), ("drops", "warning")}


def test_it_counts_on_when_a_counter_begins_anew() -> None:
    key = Key("mirror", "capture-0", "packets", "")
    assert grown({key: 7}, {key: 100}) == {key: 7}
    assert grown({key: 107}, {key: 100}) == {key: 7}


def test_its_counts_never_fall(capture: Capture) -> None:
    before = counts(capture.parts)
    capture.send()
    capture.take()
    after = counts(capture.parts)
    assert all(after[key] >= n for key, n in before.items() if key in after)
