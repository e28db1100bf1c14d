"""A process that does one job when it is told to: `Worker(...)` in the parent, `python -m bench.worker JOB ...` below.

Kernels are loaded before the word is given, so that several workers begin together.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.analysis import analysed, get_ready
from bench.headers import Connections
from cstor.engine import Engine
from cstor.flows.analysis import AnalysisConfig
from cstor.ingest import Ingest
from wire.packets.pcap import PcapWriter

ROOT = Path(__file__).resolve().parents[1]


class Done(NamedTuple):
    """What a job took. Memory is what the process grew by, afterwards and at its largest, where the job weighs it."""

    packets: int
    cpu_s: float
    wall_s: float
    memory_bytes: int = 0
    peak_bytes: int = 0


class Worker:
    """A child on the cores that it is given, ready and waiting."""

    def __init__(self, cores: set[int], job: str, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "bench.worker", ",".join(map(str, cores)), job, *map(str, arguments)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def begin(self) -> None:
        """Give the word."""
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def done(self) -> Done:
        """Wait for what it took."""
        try:
            return Done(*json.loads(self._read()))
        finally:
            self._process.wait()

    def _read(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: a worker ended with status {self._process.wait()}")
        return line


def worked(cores: set[int], job: str, *arguments: str | Path) -> Done:
    """One worker alone."""
    worker = Worker(cores, job, *arguments)
    worker.begin()
    return worker.done()


def analyse(path: str) -> Done:
    """Decode and analyse a capture."""
    return _timed(lambda: analysed(Path(path))[0])


def threads(*paths: str) -> Done:
    """The same with a thread for each capture, in one process."""
    counts: list[int] = []
    running = [threading.Thread(target=lambda path=path: counts.append(analysed(Path(path))[0])) for path in paths]

    def work() -> int:
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return sum(counts)

    return _timed(work)


def ingest(path: str, folder: str) -> Done:
    """The whole ingest into a store below a folder."""
    with tempfile.TemporaryDirectory(dir=folder) as store:

        def work() -> int:
            with Ingest(Path(store)) as running:
                running.file(Path(path))
            return running.summary.packets

        return _timed(work)


def connections(count: str, packets: str) -> Done:
    """Steady state with so many open connections; the time of analysis alone, and the memory that they cost."""
    traffic = Connections(int(count))
    engine = Engine(AnalysisConfig(max_flows=int(count) + (1 << 17)))
    before = _resident()
    for batch in traffic.opened():
        engine.take(batch)
    _feed(engine, traffic, int(count))  # every connection once: what a first packet of data brings is not steady
    cpu_s, wall_s = _feed(engine, traffic, int(packets))
    after = _resident()
    return Done(int(packets), cpu_s, wall_s, after - before, max(after, _peak()) - before)


def _feed(engine: Engine, traffic: Connections, packets: int) -> tuple[float, float]:
    cpu_s = wall_s = 0.0
    for batch in traffic.steady(packets):
        began, cpu = time.perf_counter(), time.process_time()
        engine.take(batch)
        wall_s += time.perf_counter() - began
        cpu_s += time.process_time() - cpu
    return cpu_s, wall_s


def _timed(work: Callable[[], int]) -> Done:
    began, cpu = time.perf_counter(), time.process_time()
    packets = work()
    return Done(packets, time.process_time() - cpu, time.perf_counter() - began)


def _resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


JOBS: dict[str, Callable[..., Done]] = {job.__name__: job for job in (analyse, threads, ingest, connections)}


def main(cores: str, job: str, *arguments: str) -> None:
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    with tempfile.TemporaryDirectory() as folder:
        get_ready(_one_packet(Path(folder)))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(JOBS[job](*arguments)), flush=True)


def _one_packet(folder: Path) -> Path:
    path = folder / "one.pcap"
    with PcapWriter(path) as writer:
        writer.write(next(Connections(1).opened()))
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
