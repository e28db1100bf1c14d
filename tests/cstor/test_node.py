"""A node as it runs: mirrored packets in, answers out while they come; killed in every way, only a second is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cstor.store.answer import as_json
from cstor.store.catalog import segments
from cstor.store.series import SeriesReader
from tests.cstor.api.server import ROOT, Server, free_port
from wire.packets.pcap import open_capture
from wire.packets.tunnel import vxlan_heads
from wire.packets.udp import UdpSender

VNI = 4711
PER_TURN = 20
TURN_S = 0.02


def free_udp_port() -> int:
    with contextlib.closing(socket.socket(type=socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mirror:
    """Sends UDP packets of one conversation in VXLAN, about a thousand a second, until it is stopped."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        frame = bytes(12) + b"\x08\0" + bytes.fromhex("4500006400010000401100000a0000010a00000213880050005000000000")
        frame += bytes(114 - len(frame))
        self._frames = np.frombuffer(bytearray(frame * PER_TURN), np.uint8)
        self._offset = np.arange(PER_TURN, dtype=np.int64) * len(frame)
        self._length = np.full(PER_TURN, len(frame), np.int32)
        self._heads = vxlan_heads(np.full(PER_TURN, VNI, np.int32))
        self._sender = UdpSender("127.0.0.1", port)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Mirror:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._sender.close()

    def _work(self) -> None:
        while not self._stopping.wait(TURN_S):
            self.sent += self._sender.send(self._frames, self._offset, self._length, self._heads)


class RunningNode(Server):
    """`python -m cstor run` with a configuration of its own."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.store = folder / "store"
        self.udp = free_udp_port()
        address = f"127.0.0.1:{free_port()}"
        config = folder / "node.toml"
        lines = [f"{key} = {value!r}".replace("'", '"') for key, value in options.items()]
        config.write_text(
            "\n".join(['name = "tested"', 'store = "store"', f'listen = "{address}"', *lines])
            + f'\n[[source]]\nkind = "vxlan"\nlisten = "127.0.0.1:{self.udp}"\n'
        )
        self.command = [sys.executable, "-m", "cstor", "run", "--config", str(config)]
        super().__init__(address, self._start())

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def again(self) -> None:
        self.process.stderr.close()
        self.process = self._start()
        self.await_capture()

    def await_capture(self, seconds: float = 240) -> None:
        """Kernels may have to be compiled first."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                if self.call("/healthz").status == 200:
                    return
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < end, "the node does not capture"
            time.sleep(0.1)

    def packets(self) -> int:
        """All packets that the node's API knows of."""
        (answer,) = self.lines({"queries": [{"metrics": ["packets"], "step": 3600}]})
        return sum(sum(value or 0 for value in answer["columns"][f"packets_{side}"]) for side in ("client", "server"))

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningNode]:
    running = RunningNode(tmp_path)
    try:
        running.await_capture()
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
        running.process.stderr.close()


def stored(store: Path) -> dict[str, int]:
    """What a fresh reader finds in a store: packets by series and by segment, the latter truly read."""
    columns = as_json(SeriesReader(store).answer({"metrics": ["packets"], "step": 3600}))["columns"]
    in_series = sum(sum(value or 0 for value in columns[f"packets_{side}"]) for side in ("client", "server"))
    found = segments(store, 0, 1 << 62)
    read = 0
    for segment in found:
        assert segment.path.stat().st_size >= segment.bytes_valid
        if segment.path.parent.name != "live":
            read += sum(batch.packets for batch in open_capture(segment.path))
        else:
            read += segment.packets
    return {"series": in_series, "segments": sum(segment.packets for segment in found), "read": read}


def until(check: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_it_answers_while_packets_come_and_has_all_when_it_stops(node: RunningNode) -> None:
    with Mirror(node.udp) as mirror:
        until(lambda: mirror.sent > 3000)
        status = node.call("/api/v1/status").json
        assert status["lag_s"] < 5
        assert status["sources"][0]["packets"] > 0
        (answer,) = node.lines({"queries": [{"by": ["vni"], "metrics": ["packets"], "step": 1}]})
        assert set(answer["columns"]["vni"]) == {VNI}
        assert answer["complete_until"] > max(answer["columns"]["t"]) - 1
        found = node.call(f"/api/v1/packets/count?filter=vni+{VNI}").json["packets"]
        assert mirror.sent - 2000 < found
    until(lambda: node.packets() == mirror.sent)
    assert node.stop() == 0
    assert stored(node.store) == {"series": mirror.sent, "segments": mirror.sent, "read": mirror.sent}
    assert not [path for path in (node.store / "live").iterdir() if path.name != "status.json"]


def test_it_ends_however_often_it_is_told(node: RunningNode) -> None:
    """A handler that waits for what the interrupted thread holds would hang here now and then."""
    for _ in range(100):
        node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(60) == 0


def test_seconds_below_complete_until_never_change(node: RunningNode) -> None:
    seen: dict[int, int] = {}
    with Mirror(node.udp) as mirror:
        while mirror.sent < 6000:
            (answer,) = node.lines({"queries": [{"metrics": ["packets_client"], "step": 1}]})
            columns = answer["columns"]
            for t, count in zip(columns["t"], columns["packets_client"], strict=True):
                if t < answer["complete_until"]:
                    assert seen.setdefault(t, count) == count
            time.sleep(0.1)
    assert len(seen) >= 3


def test_its_api_may_be_killed_while_it_captures(node: RunningNode) -> None:
    with Mirror(node.udp) as mirror:
        until(lambda: mirror.sent > 1000)
        children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        time.sleep(1)
        node.await_capture()
        until(lambda: mirror.sent > 3000)
    until(lambda: node.packets() == mirror.sent)
    (answer,) = node.lines({"queries": [{"metrics": ["packets"], "step": 1}]})
    ((start, end),) = answer["observed"]
    assert end - start >= 2


def test_kill_9_under_load_costs_a_second_and_damages_nothing(node: RunningNode) -> None:
    with Mirror(node.udp) as mirror:
        for _ in range(2):
            before, sent_before = stored(node.store)["series"], mirror.sent
            until(lambda sent=sent_before: mirror.sent > sent + 3000)  # type: ignore[misc]
            node.stop(signal.SIGKILL)
            sent = mirror.sent - sent_before
            left = stored(node.store)
            # At most the two open seconds and the reorder window are missing from the series, half a second of packets.
            assert left["series"] - before > sent - 3000
            assert left["segments"] > 0
            node.again()
    # The last run has to live until its first whole second is over, to have observed anything.
    until(lambda: len(node.call("/api/v1/status").json["observed"]) == 3)
    assert node.stop() == 0
    found = stored(node.store)
    assert found["segments"] == found["read"]
    observed = SeriesReader(node.store).snapshot().observed
    assert len(observed) == 3  # a gap for each time it was dead


def test_healthz_tells_when_the_capture_hangs(node: RunningNode) -> None:
    node.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: node.call("/healthz").status == 503, 30)
        assert "not reported" in node.call("/healthz").json["detail"]
        assert node.call("/api/v1/status").json["problem"]
    finally:
        node.process.send_signal(signal.SIGCONT)
    until(lambda: node.call("/healthz").status == 200)


def test_the_api_ends_with_its_node(node: RunningNode) -> None:
    node.stop(signal.SIGKILL)

    def is_gone() -> bool:
        try:
            node.call("/healthz")
            return False
        except OSError:
            return True

    until(is_gone)


def test_a_second_node_on_the_same_store_or_port_is_refused(node: RunningNode, tmp_path: Path) -> None:
    done = subprocess.run(node.command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    other = [sys.executable, "-m", "cstor", "ingest", "--store", str(node.store), str(tmp_path / "x.pcap")]
    done = subprocess.run(other, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "is writing into this store" in done.stderr
    assert len(done.stderr.splitlines()) == 1
