"""Live capture over a veth pair: up to which rate nothing is lost, beside tcpdump: `python -m bench.live [--quick]`.

A sender in one network namespace sends a trace at rising rates; in the other `tcpdump -w` and then a whole node (ring,
segments, analysis, series, sessions; its API too) receive it, both into memory and with a ring of the same size. The
sender takes a core, and what the kernel does for each packet until it lies in the ring is done on that core as well;
the receiver has what is left of two. Lost is what was sent and not captured, wherever it was lost. Before each rate as
much memory as will be written is written and freed, since a virtual machine gets its memory from the host when it is
first touched: three times the cost of capturing, for whoever comes first.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.table import table
from bench.traces import MEMORY, Traces

NEAR, FAR = "cstor-bench-near", "cstor-bench-far"
NEAR_IF, FAR_IF = "benchnear", "benchfar"
NEAR_ADDRESS, FAR_ADDRESS, PORT, API = "192.0.2.1", "192.0.2.2", 4789, "127.0.0.1:18899"
RING_MIB = 64
RATES = (100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 800_000, 1_000_000)
VXLAN_RATES = (50_000, 100_000, 150_000, 200_000, 300_000, 400_000)
SECONDS = 2.0
SETTLE_S = 1.2
IDLE_S = 2.0
FREE_OF_LOSS = 0  # packets
REACHED = 0.9  # of the rate that was asked for
BYTES_PER_PACKET = 1000  # that a receiver may write, with all that goes with it
ROOT = Path(__file__).resolve().parents[1]


class Step(NamedTuple):
    """One rate: what was sent in truth, and how many of it were not captured."""

    sent: int
    seconds: float
    lost: int
    drops: str
    cpu_s: float  # of the receiver

    @property
    def rate(self) -> float:
        return self.sent / self.seconds


class Sender:
    """bench.sender in the far namespace."""

    def __init__(self, trace: Path, *target: str) -> None:
        command = [*inside(FAR), sys.executable, "-m", "bench.sender", str(trace), *target]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "ready"

    def send(self, rate: float, seconds: float) -> tuple[int, float]:
        assert self._process.stdin
        self._process.stdin.write(f"{rate} {seconds}\n")
        self._process.stdin.flush()
        sent, took = self._line().split()
        return int(sent), float(took)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


class Node:
    """`python -m cstor run` in the near namespace, its store in memory."""

    def __init__(self, folder: Path, source: str) -> None:
        self._status = folder / "store" / "live" / "status.json"
        config = folder / "node.toml"
        config.write_text(
            f'store = "store"\nlisten = "{API}"\n[[source]]\n{source}\n[retention]\npackets_bytes = "4 GB"\n'
        )
        command = [*inside(NEAR), sys.executable, "-m", "cstor", "run", "--config", str(config)]
        self._process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        while not (self._status.exists() and self._counted()):
            if self._process.poll() is not None:
                raise SystemExit("bench: the node did not start")
            time.sleep(0.2)
        time.sleep(3.0)  # its API starts too
        before = self._cpu_s()
        time.sleep(IDLE_S)
        self._idle = (self._cpu_s() - before) / IDLE_S  # of a core: what it takes when nothing comes

    def step(self, send: Callable[[], tuple[int, float]]) -> Step:
        before, cpu_before, began = self._settled(), self._cpu_s(), time.monotonic()
        sent, seconds = send()
        time.sleep(SETTLE_S)
        now = self._settled()
        cpu_s = self._cpu_s() - cpu_before - self._idle * (time.monotonic() - began)
        got = now["sources"][0]["packets"] - before["sources"][0]["packets"]
        drops = {name: n - before["drops"].get(name, 0) for name, n in now["drops"].items()}
        written = sum(n for name, n in drops.items() if name.startswith("disk"))
        return Step(sent, seconds, sent - got + written, _named(drops), cpu_s)

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(120)

    def _settled(self) -> dict[str, Any]:
        """The status once nothing moves any more."""
        packets = -1
        while True:
            now = self._counted()
            if now and now["sources"][0]["packets"] == packets:
                return now
            packets = now["sources"][0]["packets"] if now else -1
            time.sleep(0.6)

    def _cpu_s(self) -> float:
        """Of all threads of the node, without its API."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _counted(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self._status.read_text()))
        except (OSError, ValueError):
            return None


def tcpdump_step(folder: Path, send: Callable[[], tuple[int, float]]) -> Step:
    """One rate with `tcpdump -w`, a process of its own."""
    file = folder / "tcpdump.pcap"
    command = [*inside(NEAR), "tcpdump", "-i", NEAR_IF, "-n", "-B", str(RING_MIB << 10), "-Z", "root", "-w", str(file)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    process.stderr.readline()  # listening on
    time.sleep(0.3)
    sent, seconds = send()
    time.sleep(SETTLE_S)
    process.send_signal(signal.SIGINT)
    text = process.stderr.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    file.unlink(missing_ok=True)
    found = {name: int(n) for n, name in re.findall(r"(\d+) packets (captured|dropped by kernel)", text)}
    drops = _named({"kernel": found.get("dropped by kernel", 0)})
    cpu_s = usage.ru_utime + usage.ru_stime
    return Step(sent, seconds, sent - found.get("captured", 0), drops, cpu_s)


def rising(rates: tuple[int, ...], step: Callable[[float], Step]) -> dict[int, Step]:
    """Steps at rising rates, until two in a row have lost a tenth or were more than the sender can."""
    found: dict[int, Step] = {}
    bad = 0
    for rate in rates:
        found[rate] = one = step(rate)
        bad = bad + 1 if one.lost > one.sent // 10 or one.rate < REACHED * rate else 0
        if bad == 2:
            break
    return found


def drop_free(steps: dict[int, Step]) -> str:
    """The highest rate that was really sent without a loss; at least that, if no rate above it was reached."""
    best = max((step.rate for step in steps.values() if step.lost <= FREE_OF_LOSS), default=0.0)
    is_known = any(step.lost > FREE_OF_LOSS and step.rate > best for step in steps.values())
    return f"{best:,.0f} packets/s" if is_known else f"at least {best:,.0f} packets/s (all that the sender reached)"


def touch_memory(folder: Path, packets: float) -> None:
    """Let the machine have the memory that so many packets will take in a folder in memory, and leave it free."""
    if not str(folder).startswith(str(MEMORY)):
        return
    path, piece = folder / "touched", bytes(1 << 20)
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(int(packets * BYTES_PER_PACKET) // len(piece) + 1):
                file.write(piece)
    finally:
        path.unlink(missing_ok=True)


def _named(drops: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in drops.items() if n)


def inside(space: str) -> list[str]:
    return ["ip", "netns", "exec", space]


@contextmanager
def namespaces() -> Iterator[None]:
    """Two namespaces and a veth pair, gone afterwards."""
    remove()
    try:
        for words in (
            ["netns", "add", NEAR],
            ["netns", "add", FAR],
            ["link", "add", NEAR_IF, "netns", NEAR, "type", "veth", "peer", "name", FAR_IF, "netns", FAR],
            ["-n", NEAR, "addr", "add", f"{NEAR_ADDRESS}/24", "dev", NEAR_IF],
            ["-n", FAR, "addr", "add", f"{FAR_ADDRESS}/24", "dev", FAR_IF],
            *(
                ["-n", space, "link", "set", name, "mtu", "9000", "up"]
                for space, name in ((NEAR, NEAR_IF), (FAR, FAR_IF))
            ),
            ["-n", NEAR, "link", "set", "lo", "up"],
            # Nothing but what the sender sends is on this wire, also no neighbour discovery.
            *(
                ["netns", "exec", space, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1"]
                for space, name in ((NEAR, NEAR_IF), (FAR, FAR_IF))
            ),
        ):
            subprocess.run(["ip", *words], check=True)
        yield
    finally:
        remove()


def remove() -> None:
    for space in (NEAR, FAR):
        subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


def run(trace: Path, folder: Path, quick: bool) -> None:
    seconds = 0.3 if quick else SECONDS
    rates, vxlan_rates = (RATES[:2], VXLAN_RATES[:2]) if quick else (RATES, VXLAN_RATES)
    sender = Sender(trace, "--interface", FAR_IF)

    def send(rate: float) -> tuple[int, float]:
        touch_memory(folder, rate * seconds)
        return sender.send(rate, seconds)

    node = Node(folder, f'kind = "afpacket"\ninterface = "{NEAR_IF}"\nring = "{RING_MIB} MiB"')
    ours = rising(rates, lambda rate: node.step(lambda: send(rate)))
    node.close()
    theirs = rising(rates, lambda rate: tcpdump_step(folder, lambda: send(rate)))
    sender.close()
    rows = []
    for rate in rates:
        if rate in ours or rate in theirs:
            rows.append([f"{rate:,}", *_cells(ours.get(rate)), *_cells(theirs.get(rate))])
    columns = ["lost", "counted as", "CPU ns per packet"]
    head = ["asked for", "cStor: sent/s", *columns, "tcpdump -w: sent/s", *columns]
    print(table(head, rows))
    print(f"\nDrop-free: cStor afpacket {drop_free(ours)}, tcpdump -w {drop_free(theirs)}.\n")
    shutil.rmtree(folder / "store", ignore_errors=True)
    node = Node(folder, f'kind = "vxlan"\nlisten = "{NEAR_ADDRESS}:{PORT}"')
    sender = Sender(trace, "--to", f"{NEAR_ADDRESS}:{PORT}")
    mirrored = rising(vxlan_rates, lambda rate: node.step(lambda: send(rate)))
    node.close()
    sender.close()
    rows = [[f"{rate:,}", *_cells(step)] for rate, step in mirrored.items()]
    print(table(["asked for", "vxlan socket: sent/s", *columns], rows))
    print(f"\nDrop-free: vxlan socket {drop_free(mirrored)}.")


def _cells(step: Step | None) -> list[str]:
    if not step:
        return ["-", "-", "", "-"]
    return [f"{step.rate:,.0f}", f"{step.lost:,}", step.drops, f"{step.cpu_s / max(step.sent, 1) * 1e9:,.0f}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="low rates for a moment: whether it works")
    quick = parser.parse_args().quick
    if os.geteuid() != 0 or not shutil.which("tcpdump"):
        print("Not measured: needs root (network namespaces) and tcpdump.")
        return 0
    trace = Traces(quick).slice
    print(
        f"Packets of {trace.name}, {0.3 if quick else SECONDS} s per rate. Sender and receiver share "
        f"{os.cpu_count()} cores: one is the sender's and the kernel's, the receiver has what is left. Rings of "
        f"{RING_MIB} MiB; both write into memory, the node analyses and indexes besides.\n"
    )
    parent = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cstor-bench-", dir=parent) as folder, namespaces():
        run(trace, Path(folder), quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
