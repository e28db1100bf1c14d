"""`lab run` sends what it says, and its truth agrees with the kernel's receive times."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.__main__ import main
from lab.live import Live, LiveConfig
from lab.scenario import discover
from lab.truthfile import read

SO_TIMESTAMPNS = 35
ROOT = Path(__file__).resolve().parents[2]


class Listener(threading.Thread):
    """Receives datagrams with the kernel's time stamps until nothing has come for a while."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(2)
        self.address: tuple[str, int] = self.socket.getsockname()
        self.found: list[tuple[int, bytes]] = []

    def run(self) -> None:
        while True:
            try:
                data, extra, _, _ = self.socket.recvmsg(65_536, 256)
            except TimeoutError:
                self.socket.close()
                return
            seconds, nanoseconds = struct.unpack("qq", extra[0][2][:16])
            self.found.append((seconds * 1_000_000_000 + nanoseconds, data))


def test_it_stamps_packets_as_the_kernel_does() -> None:
    listener = Listener()
    listener.start()
    live = Live(LiveConfig(discover()["clean"], listener.address, rate=0.5, seconds=2.5))
    stamps: list[int] = []
    send = live._send

    def noted(time_ns: int, interface: object, payload: bytes) -> int:
        stamps.append(send(time_ns, interface, payload))
        return stamps[-1]

    live._send = noted
    live.run()
    listener.join()
    assert live.packets == len(listener.found) == len(stamps) > 300
    late_ns = sorted(received - stamp for (received, _), stamp in zip(listener.found, stamps, strict=True))
    middle = len(late_ns) // 2
    assert abs(late_ns[middle]) < 50_000
    assert late_ns[middle + middle // 2] - late_ns[middle // 2] < 50_000
    assert all(data[:4] == b"\x08\0\0\0" and data[7] == 0 for _, data in listener.found)


def test_it_keeps_going_without_a_listener_and_ends_on_sigterm(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "run", "--to", f"127.0.0.1:{port}", "--truth", str(tmp_path / "truth.json")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert f"127.0.0.1:{port}" in process.stdout.readline()
    time.sleep(1)
    os.kill(process.pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 0
    assert "packets sent, 0 not" in out


def test_it_writes_whole_slices_of_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.truth.SLICE_S", 2)
    monkeypatch.setattr("lab.truth.GRACE_S", 0)
    listener = Listener()
    listener.start()
    truth = tmp_path / "truth.json"
    seconds = 2 - time.time() % 2 + 2.6
    Live(LiveConfig(discover()["clean"], listener.address, seconds=seconds, truth=truth)).run()
    document = read(truth)
    assert [part["to"] - part["from"] for part in document["slices"]] == [2]
    assert document["to"] % 2 == 0
    assert document["total"]["response_time"]["n"] > 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--to", "nowhere"], "is not HOST:PORT"),
        (["run", "--to", "127.0.0.1:1", "--scenario", "storm"], "invalid choice: 'storm'"),
        (["pcap", "-w", "x.pcap", "--seconds", "0"], "is not a number above 0"),
        (["pcap", "-w", "x.pcap", "--start", "2024-01-01T00:00:00"], "append Z for UTC"),
    ],
)
def test_it_says_what_is_wrong_with_its_arguments(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_it_lists_its_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--list"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("clean ")


def test_it_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pcap", "-w", str(tmp_path / "no" / "x.pcap"), "--seconds", "1"]) == 1
    assert main(["truth", str(tmp_path / "none.json")]) == 1
    (tmp_path / "odd.json").write_text("hello")
    assert main(["truth", str(tmp_path / "odd.json")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("lab: ") for line in lines] == [True, True, True]
