"""Series calls over the last ten seconds while the node captures: `python -m bench.series [--quick]`.

A store gets 20,000 conversation rows a second, as a capture writes them; the API serves it in a process of its own, as
`cstor run` starts it. Clients call it at a steady rate, each call one POST with one question. What counts is the CPU
time of the API's process, reading the live logs included: the machine may be busy with other things.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.series_load import Traffic, monitor_calls, page_calls
from bench.table import table, verdict
from cstor.store.layout import open_store
from cstor.store.ledger import Clock, write_clock
from cstor.store.sequence import Sequence
from cstor.store.writer import StoreWriter

ROOT = Path(__file__).resolve().parents[1]
HEAD = (
    "calls",
    "CPU ms per call",
    "calls/s per core",
    "calls/s asked",
    "share of a core",
    "p50 ms",
    "p99 ms",
    "target",
)
RATE = 100  # calls per second
HALF = 0.5  # of a core
TICK = os.sysconf("SC_CLK_TCK")


class Capture:
    """Writes a second each second, as a capture does, until told to stop."""

    def __init__(self, root: Path, rows: int, conversations: int, seconds: int) -> None:
        self._root = open_store(root)
        self._traffic = Traffic(rows, conversations)
        self._writer = StoreWriter(root, Sequence(root), live=True)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.now = int(time.time()) - 2
        self._first = self.now - seconds
        for t in range(self._first, self.now):
            self._add(t)
        self._ready = [self._traffic.second(0) for _ in range(8)]  # making them costs more than writing them

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._writer.close()

    def _run(self) -> None:
        while not self._stopping.wait(max(0.0, self.now + 2 - time.time())):
            self._writer.add_seconds([self._ready[self.now % len(self._ready)]._replace(t=self.now)])
            self.now += 1
            write_clock(self._root, Clock(self._first, self.now))

    def _add(self, t: int) -> None:
        self._writer.add_seconds([self._traffic.second(t)])
        write_clock(self._root, Clock(self._first, t + 1))


@contextmanager
def serving(store: Path) -> Iterator[tuple[int, int]]:
    """The API over a store: its port, and the process that answers."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cstor", "serve", "--store", str(store), "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the API did not start") from None
                time.sleep(0.1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not children.read_text().split():
            time.sleep(0.1)
        yield port, int(children.read_text().split()[0])
    finally:
        process.terminate()
        process.wait(30)


def cpu_s(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Run(NamedTuple):
    calls: int
    wall_s: float
    cpu_s: float
    latencies_ms: list[float]


def run_calls(port: int, pid: int, capture: Capture, calls: list[dict[str, Any]], rate: float, seconds: float) -> Run:
    """Clients that together make so many calls a second, each with a connection of its own."""
    clients, latencies, lock = 4, [], threading.Lock()
    began, before = time.monotonic(), cpu_s(pid)

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for at in range(number, int(rate * seconds), clients):
            time.sleep(max(0.0, began + at / rate - time.monotonic()))
            mine = asked(calls[at % len(calls)], capture.now)
            sent = time.monotonic()
            connection.request("POST", "/api/v1/series", json.dumps({"queries": [mine]}), _HEADERS)
            body = connection.getresponse().read()
            with lock:
                latencies.append((time.monotonic() - sent) * 1e3)
            if b'"rows"' not in gzip.decompress(body):
                raise SystemExit(f"a call failed: {body[:300]!r}")
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Run(len(latencies), time.monotonic() - began, cpu_s(pid) - before, latencies)


_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}  # as the console calls


def asked(call: dict[str, Any], now: int) -> dict[str, Any]:
    """The call over the last ten seconds that are whole."""
    end = now // call["step"] * call["step"]
    return {**call, "from": end - 10, "to": end}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.series", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rows and calls: whether it works")
    parser.add_argument("--rows", type=int, default=20_000, help="conversation rows per second")
    parser.add_argument("--conversations", type=int, default=60_000, help="conversations of which these are")
    parser.add_argument("--seconds", type=float, default=20.0, help="that each kind of calls is measured")
    options = parser.parse_args()
    rows, seconds = (500, 2.0) if options.quick else (options.rows, options.seconds)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        capture = Capture(Path(folder) / "store", rows, max(rows, options.conversations), 12 if options.quick else 62)
        capture.start()
        try:
            with serving(Path(folder) / "store") as (port, pid):
                for name, calls in kinds().items():
                    run_calls(port, pid, capture, calls, 10, len(calls) / 10)  # kernels are loaded, seconds are read
                    results.append((name, run_calls(port, pid, capture, calls, RATE, seconds)))
                results.append(("reading the logs, no calls", _idle(pid, port, capture, min(seconds, 10.0))))
        finally:
            capture.stop()
    print(f"{rows:,} conversation rows/s of {max(rows, options.conversations):,} conversations, the last 10 s\n")
    print(table(HEAD, [_row(name, run) for name, run in results]))
    return 0


def kinds() -> dict[str, list[dict[str, Any]]]:
    monitors, pages = monitor_calls(), page_calls()
    both = [call for pair in zip(monitors, pages, strict=False) for call in pair]
    return {"monitors (all bases, 10 s, top 50)": monitors, "pages (5 metrics, 1 s)": pages, "both by turns": both}


def _idle(pid: int, port: int, capture: Capture, seconds: float) -> Run:
    """One small call a second: what following the logs costs."""
    return run_calls(
        port, pid, capture, [{"filter": "host 10.9.9.9", "by": [], "metrics": ["bytes"], "step": 1}], 1, seconds
    )


def _row(name: str, run: Run) -> tuple[str, ...]:
    each, share, rate = run.cpu_s / run.calls, run.cpu_s / run.wall_s, run.calls / run.wall_s
    p50, p99 = np.percentile(run.latencies_ms, [50, 99])
    aim = "-" if rate < RATE / 2 else f"100 on half a core: {verdict(1 / each, RATE / HALF)}"
    figures = (f"{each * 1e3:.2f}", f"{1 / each:,.0f}", f"{rate:,.0f}", f"{share:.2f}", f"{p50:.1f}", f"{p99:.1f}")
    return name, *figures, aim


if __name__ == "__main__":
    sys.exit(main())
