"""A node that captures live: on an interface with several threads, from a pipe, and while a source is away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cstor.store.ledger import read_ledger
from cstor.store.series import SeriesReader
from tests.cstor.api.server import ROOT, free_port
from tests.cstor.capture.frames import ethernet, vxlan
from tests.cstor.capture.namespaces import Wire, ip, needs_root, wire
from tests.packets import Talk, frame_of
from wire.packets.batch import batch_of
from wire.packets.pcap import open_capture, pcap_header, pcap_records

__all__ = ["wire"]


def cstor(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "cstor", *map(str, arguments)]


class Capture:
    """A running node and what it says of itself."""

    def __init__(self, process: subprocess.Popen[bytes], store: Path) -> None:
        self.process = process
        self.store = store

    @property
    def status(self) -> dict[str, Any]:
        return dict(json.loads((self.store / "live" / "status.json").read_text()))

    @property
    def source(self) -> dict[str, Any]:
        return dict(self.status["sources"][0])

    def until(self, check: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None
            try:
                if check(self.status):
                    return self.status
            except OSError:
                pass
            assert time.monotonic() < end, self.status if (self.store / "live" / "status.json").exists() else "silent"
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0


@contextmanager
def running(store: Path, command: list[str], **options: Any) -> Iterator[Capture]:
    process = subprocess.Popen(command, cwd=ROOT, **options)
    capture = Capture(process, store)
    try:
        capture.until(lambda status: True, 240)
        yield capture
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def node_on(wire: Wire, folder: Path, *lines: str) -> list[str]:
    config = folder / "node.toml"
    text = [f'store = "{folder / "store"}"', f'listen = "127.0.0.1:{free_port()}"']
    config.write_text("\n".join([*text, "[[source]]", 'kind = "afpacket"', f'interface = "{wire.near}"', *lines]))
    ip("-n", wire.near_space, "link", "set", "lo", "up")
    return ["ip", "netns", "exec", wire.near_space, *cstor("run", "--config", config)]


def connections(count: int) -> list[bytes]:
    """Frames of whole connections, each direction in a tunnel of its own or in none."""
    frames = []
    for n in range(count):
        talk = Talk(f"10.0.{n % 7}.1", "10.1.0.1", 32768 + 2 * n).handshake().request().response().close()
        for record in talk.packets.reshape(-1, 1):
            inner = frame_of(record[0])
            is_back = int(record["src_port"][0]) == 443
            frames.append(vxlan(77, inner, port=50000 + 13 * is_back) if n % 2 else inner)
    return frames


def sessions(store: Path) -> list[dict[str, Any]]:
    done = subprocess.run(cstor("sessions", "--store", store), cwd=ROOT, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs_root
def test_several_threads_see_whole_connections(wire: Wire, tmp_path: Path) -> None:
    command = node_on(wire, tmp_path, "threads = 2", 'ring = "8 MiB"')
    frames = connections(100)
    with running(tmp_path / "store", command) as capture:
        wire.send(frames)
        status = capture.until(lambda status: status["sources"][0]["packets"] == len(frames))
        threads = status["sources"][0]["threads"]
        assert len(threads) == 2 and all(thread["packets"] > len(frames) // 5 for thread in threads)
        assert sum(status["drops"].values()) == 0
        capture.until(lambda status: status["stored"]["packets"] == len(frames))
        capture.stop()
    found = sessions(tmp_path / "store")
    assert len(found) == 100
    assert {row["outcome"] for row in found} == {"closed"}
    assert all(row["packets_client"] and row["packets_server"] for row in found)
    assert sum(row["vni"] == 77 for row in found) == 50
    stored = (tmp_path / "store" / "packets").rglob("*.pcap")
    assert sum(batch.packets for path in stored for batch in open_capture(path)) == len(frames)


@needs_root
def test_while_an_interface_is_down_nothing_counts_as_observed(wire: Wire, tmp_path: Path) -> None:
    with running(tmp_path / "store", node_on(wire, tmp_path, 'ring = "8 MiB"')) as capture:
        capture.until(lambda status: status["sources"][0]["state"] == "capturing")
        time.sleep(3)
        ip("-n", wire.near_space, "link", "set", wire.near, "down")
        failed = capture.until(lambda status: status["sources"][0]["state"] == "failed")
        assert "is down; ip link set" in failed["sources"][0]["problem"]
        time.sleep(3)
        ip("-n", wire.near_space, "link", "set", wire.near, "up")
        capture.until(lambda status: status["sources"][0]["state"] == "capturing")
        back = capture.status["complete_until"]
        capture.until(lambda status: status["complete_until"] > back + 4)
        capture.stop()
    (first, second) = SeriesReader(tmp_path / "store").snapshot().observed
    assert second[0] - first[1] >= 2
    assert read_ledger(tmp_path / "store").observed == [first, second]


def test_a_capture_that_is_piped_in(tmp_path: Path) -> None:
    store = tmp_path / "store"
    environment = os.environ | {"CSTOR_STORE": str(store), "CSTOR_LISTEN": f"127.0.0.1:{free_port()}"}
    with running(store, cstor("run"), stdin=subprocess.PIPE, env=environment) as capture:
        assert capture.process.stdin
        frames = [
            frame_of(record[0]) for record in Talk().handshake().request().response().close().packets.reshape(-1, 1)
        ]
        now = time.time_ns()
        times = [now + n * 1_000_000 for n in range(len(frames))]
        capture.process.stdin.write(pcap_header(1) + bytes(pcap_records(batch_of(frames, times))))
        capture.process.stdin.flush()
        capture.until(lambda status: status["sources"][0]["packets"] == len(frames))
        assert capture.source["state"] == "capturing"
        capture.process.stdin.close()
        status = capture.until(lambda status: status["sources"][0]["state"] == "ended")
        assert status["analysis"]["clamped_time"] == 0
        capture.until(lambda status: status["complete_until"] > times[-1] // 10**9)
        capture.stop()
    (session,) = sessions(store)
    assert session["outcome"] == "closed" and abs(session["start"] - now / 1e9) < 1e-6


def test_a_broken_stream_is_told_and_the_node_goes_on(tmp_path: Path) -> None:
    store, fifo = tmp_path / "store", tmp_path / "fifo"
    os.mkfifo(fifo)
    config = tmp_path / "node.toml"
    address = f"127.0.0.1:{free_port()}"
    config.write_text(f'store = "store"\nlisten = "{address}"\n[[source]]\nkind = "pipe"\npath = "{fifo}"\n')
    with running(store, cstor("run", "--config", config)) as capture:
        with fifo.open("wb", buffering=0) as sender:
            sender.write(pcap_header(1) + bytes(pcap_records(batch_of([bytes(60)], [time.time_ns()]))) + b"\xff" * 30)
        status = capture.until(lambda status: status["sources"][0]["state"] == "failed")
        assert "the stream is broken" in status["sources"][0]["problem"]
        assert status["sources"][0]["packets"] == 1
        until = status["complete_until"]
        capture.until(lambda status: status["complete_until"] > until + 1)
        capture.stop()


def test_an_ingest_reads_standard_input(tmp_path: Path) -> None:
    frames = [ethernet(frame_of(record[0])[14:]) for record in Talk().handshake().close().packets.reshape(-1, 1)]
    stream = pcap_header(1) + bytes(pcap_records(batch_of(frames, [1_600_000_000_000_000_000] * len(frames))))
    command = cstor("ingest", "--store", tmp_path / "store", "-")
    done = subprocess.run(command, cwd=ROOT, input=stream, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["packets"] == len(frames)
    done = subprocess.run(command, cwd=ROOT, input=stream[:-5], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"standard input: offset" in done.stderr


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    source = '[[source]]\nkind = "vxlan"\nlisten = "127.0.0.1:0"\n'
    config.write_text(f'store = "store"\nlisten = "127.0.0.1:{free_port()}"\n{source}{source}')
    done = subprocess.run(cstor("run", "--config", config), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "same name" in done.stderr
