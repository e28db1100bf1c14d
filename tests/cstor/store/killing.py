"""Kills real nodes at random moments under load, and tells afterwards what they lost.

Packets bear numbers. What a node has acknowledged (its clock) must be in the series to the packet, what it captured
more than a second before it was killed must be in the segments, each once, and `check` must pass while it is down.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cstor.store.answer import as_json
from cstor.store.catalog import Segment, segments
from cstor.store.check import Report, check
from cstor.store.layout import SECOND_NS
from cstor.store.ledger import read_clock, read_ledger
from cstor.store.series import SeriesReader
from tests.cstor.api.server import ROOT, free_port
from wire.packets.batch import batch_of
from wire.packets.capturefile import CaptureReader
from wire.packets.pcap import PcapWriter, open_capture
from wire.packets.tunnel import vxlan_heads
from wire.packets.udp import UdpSender

PER_TURN = 20
TURN_S = 0.005
CLIENTS = 10
NUMBER_AT = 92  # of a stored frame: made-up Ethernet, IP, UDP, then VXLAN, then the sent frame's Ethernet, IP, UDP
START_S = 1_700_000_000  # of a made-up capture
# Ethernet, IPv4 and UDP from 10.0.0.1:5000 to 10.0.0.2:80, with 100 bytes to come
FRAME = "00" * 12 + "0800" + "4500008000010000401100000a0000010a000002" + "13880050006c0000"
COMPILING_S = 900.0  # the first start after an update
GRACE_S = 1.0  # what a kill may cost

# The clocks of a real node made fast, so that a kill meets every step of publishing, sealing, merging and removing.
HURRIED = """
import sys
import cstor.node as node
import cstor.store.compact as compact
import cstor.store.maintain as maintain
import cstor.store.segment as segment
import cstor.store.writer as writer
node.PUBLISH_S, segment.SEGMENT_SECONDS, writer.LOGS_KEPT_S = 0.3, 0.3, 0.6
maintain.INTERVAL_S = maintain.LOOK_S = 0.2
compact.WAIT_S = -3600
from cstor.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


class NumberedMirror:
    """Sends numbered UDP packets of a few conversations in VXLAN, some thousand a second, until it is stopped."""

    def __init__(self, port: int, per_turn: int = PER_TURN) -> None:
        self.sent = 0
        self.times: list[tuple[int, int, int]] = []  # first number of a turn, before and after its sending in ns
        self.per_turn = per_turn
        frame = (
            bytes(12) + b"\x08\0" + bytes.fromhex("4500008000010000401100000a0000010a000002138800500064000000000000")
        )
        frame += bytes(142 - len(frame))
        self._frames = np.frombuffer(bytearray(frame * per_turn), np.uint8).reshape(per_turn, -1)
        self._frames[:, 29] = 1 + np.arange(per_turn) % CLIENTS
        self._numbers = self._frames[:, 42:50]
        self._offset = np.arange(per_turn, dtype=np.int64) * len(frame)
        self._length = np.full(per_turn, len(frame), np.int32)
        self._heads = vxlan_heads(np.full(per_turn, 7, np.int32))
        self._sender = UdpSender("127.0.0.1", port)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> NumberedMirror:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopping.set()
        self._thread.join()
        self._sender.close()

    def numbers_between(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """Numbers [first, last) that were surely sent in this time."""
        inside = [first for first, before, after in self.times if before >= start_ns and after < end_ns]
        return (inside[0], inside[-1] + self.per_turn) if inside else (0, 0)

    def _work(self) -> None:
        while not self._stopping.wait(TURN_S):
            numbers = self.sent + np.arange(self.per_turn, dtype=">u8")
            self._numbers[:] = numbers.view(np.uint8).reshape(self.per_turn, 8)
            before = time.time_ns()
            self._sender.send(self._frames.reshape(-1), self._offset, self._length, self._heads)
            self.times.append((self.sent, before, time.time_ns()))
            self.sent += self.per_turn


@dataclass
class Kill:
    """One killed run: what its clock vouched for, and when it died."""

    observed: tuple[int, int]
    at_ns: int
    drops: int = 0


@dataclass
class Victim:
    """A node that is started and killed again and again over one store."""

    folder: Path
    port: int
    program: str = ""  # what to run in place of `-m cstor`
    retention: str = ""
    log: Path | None = None  # where its log goes in place of its folder
    kills: list[Kill] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def start(self) -> None:
        config = self.folder / "node.toml"
        # Another port each time: the API of a killed node may need a moment to end.
        config.write_text(
            f'name = "victim"\nstore = "store"\nlisten = "127.0.0.1:{free_port()}"\n'
            f'[retention]\n{self.retention}\n[[source]]\nkind = "vxlan"\nlisten = "127.0.0.1:{self.port}"\n'
        )
        program = ["-c", self.program] if self.program else ["-m", "cstor"]
        command = [sys.executable, *program, "run", "--config", str(config)]
        log = (self.log or self.folder / "node.log").open("a")
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=log, text=True)
        log.close()

    def said(self) -> str:
        """The end of its log."""
        return (self.folder / "node.log").read_text()[-2000:] if self.log is None else f"see {self.log}"

    def await_capture(self, seconds: float = COMPILING_S, observed: bool = False) -> None:
        """Until it captures, or has `observed` a whole second."""
        end = time.monotonic() + seconds
        while not self._is_capturing(observed):
            assert self.process and self.process.poll() is None, self.said()
            assert time.monotonic() < end, "the node does not capture"
            time.sleep(0.02)

    def _is_capturing(self, observed: bool) -> bool:
        clock = read_clock(self.store)
        if clock is None or self.process is None or self.status().get("pid") != self.process.pid:
            return False
        return clock.complete_until > (clock.observed_from if observed else 0)

    def status(self) -> dict[str, Any]:
        """What it said last."""
        with contextlib.suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self.store / "live" / "status.json").read_text())
            return found
        return {}

    def kill(self) -> None:
        """SIGKILL, now; then everything on disk must be whole."""
        assert self.process
        at_ns = time.time_ns()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        clock, status = read_clock(self.store), self.status()
        if clock is not None and status.get("pid") == self.process.pid and clock.observed_from < clock.complete_until:
            drops = sum(status.get("drops", {}).values())
            self.kills.append(Kill((clock.observed_from, clock.complete_until), at_ns, drops))
        report = check(self.store)
        self.reports.append(report)
        assert report.problems == [], "\n".join(map(str, report.problems))

    def stop(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.said()


@contextlib.contextmanager
def victim(folder: Path, **options: Any) -> Iterator[Victim]:
    with contextlib.closing(socket.socket(type=socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    found = Victim(folder, port, **options)
    try:
        yield found
    finally:
        if found.process and found.process.poll() is None:
            found.process.kill()
            found.process.wait(30)


def kill_often(one: Victim, times: int, seed: int, longest_s: float) -> NumberedMirror:
    """So many runs, each killed a random time after its start, after it captures, or after it has observed a second;
    then one that is stopped."""
    chance = random.Random(seed)
    one.start()
    one.await_capture()
    with NumberedMirror(one.port) as mirror:
        for number in range(times):
            moment = number % 4
            if moment:
                one.await_capture(observed=moment > 1)
            time.sleep(chance.uniform(0.0, longest_s))
            one.kill()
            one.start()
        one.await_capture(observed=True)
    one.stop()
    return mirror


def stored_numbers(store: Path) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and times of all packets in sealed segments."""
    numbers, times = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for segment in segments(store, 0, 1 << 62):
        for batch in _batches(segment):
            at = batch.offset[:, None] + NUMBER_AT + np.arange(8)
            numbers.append(batch.buffer[at].copy().view(">u8")[:, 0].astype(np.int64))
            times.append(batch.time_ns.copy())
    return np.concatenate(numbers), np.concatenate(times)


def _batches(segment: Segment) -> CaptureReader:
    return open_capture(segment.path)


def packets_by_second(store: Path) -> dict[int, int]:
    question = {"metrics": ["packets"], "step": 1, "by": []}
    columns = as_json(SeriesReader(store).answer(question))["columns"]
    both = zip(columns["t"], columns["packets_client"], columns["packets_server"], strict=True)
    return {t: (client or 0) + (server or 0) for t, client, server in both}


def verify(one: Victim, mirror: NumberedMirror, has_packets: bool = True) -> dict[str, float]:
    """Nothing acknowledged is lost, nothing is there twice; what the kills cost, in seconds."""
    numbers, times = stored_numbers(one.store)
    assert len(np.unique(numbers)) == len(numbers), "packets are stored twice"
    series = packets_by_second(one.store)
    observed = read_ledger(one.store).observed
    costs = []
    for kill in one.kills:
        start, end = kill.observed
        assert any(a <= start and end <= b for a, b in observed), f"{kill.observed} is not observed: {observed}"
        first, last = mirror.numbers_between(start * SECOND_NS, end * SECOND_NS)
        counted = sum(series.get(t, 0) for t in range(start, end))
        if not kill.drops:
            slack = 2 * mirror.per_turn  # sent while the second changed
            assert last - first <= counted <= last - first + slack, f"{kill}: {counted} counted, {last - first} sent"
        if has_packets:
            inside = (times >= start * SECOND_NS) & (times < kill.at_ns)
            costs.append((kill.at_ns - int(times[inside].max(initial=start * SECOND_NS))) / SECOND_NS)
            sealed = (times >= start * SECOND_NS) & (times < (end - 1) * SECOND_NS)
            assert np.count_nonzero(sealed) == sum(series.get(t, 0) for t in range(start, end - 1)), kill
    return {"kills": len(one.kills), "median_s": float(np.median(costs or [0])), "worst_s": max(costs, default=0.0)}


def killed_ingests(folder: Path, times: int, seed: int) -> None:
    """Ingests of one capture, killed at random moments; the store stays whole, and the last one, let live, is there."""
    capture = folder / "capture.pcap"
    packets = write_capture(capture)
    chance = random.Random(seed)
    command = [sys.executable, "-m", "cstor", "ingest", "--store", str(folder / "store"), str(capture)]
    began = time.monotonic()
    subprocess.run([*command[:-2], str(folder / "first"), command[-1]], cwd=ROOT, check=True, capture_output=True)
    whole_s = time.monotonic() - began
    for _ in range(times):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.2, 1.0) * whole_s)
        process.kill()
        process.wait(30)
        if (folder / "store" / "live").is_dir():
            report = check(folder / "store")
            assert report.problems == [], "\n".join(map(str, report.problems))
    before = sum(packets_by_second(folder / "store").values())
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=COMPILING_S)
    report = check(folder / "store")
    assert report.problems == report.notes == []
    assert sum(packets_by_second(folder / "store").values()) == before + packets


def write_capture(path: Path, seconds: int = 9000, per_second: int = 20) -> int:
    """A capture of some hours, made of the mirror's frames; how many packets it has."""
    frame = np.frombuffer(bytes.fromhex(FRAME) + bytes(100), np.uint8)
    with PcapWriter(path) as writer:
        for second in range(seconds):
            rows = np.repeat(frame[None], per_second, axis=0)
            rows[:, 29] = 1 + np.arange(per_second) % CLIENTS
            frames = [row.tobytes() for row in rows]
            writer.write(batch_of(frames, [(START_S + second) * SECOND_NS + n * 1_000_000 for n in range(per_second)]))
    return seconds * per_second
