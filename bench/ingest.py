"""Ingest speed: decode and analysis alone, the whole ingest, and a plain copy: `python -m bench.ingest [TRACE]`.

Without a trace of its own it takes $CCLEAR_BENCH_TRACE, or makes one of 1 GB with make_bench_trace.py of the shared
folder and keeps it. The first whole ingest goes to a memory file system where there is one, the second to the disk of
the trace; kernels are compiled before the clock runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cstor.capture.pcapfile import PcapFileSource
from cstor.engine import Engine, warm_up
from cstor.flows.analysis import AnalysisConfig
from cstor.ingest import Ingest

MAKER = Path(__file__).resolve().parents[2] / "shared" / "bench" / "make_bench_trace.py"
MEMORY = Path("/dev/shm")


class Result(NamedTuple):
    """What one run took."""

    name: str
    packets: int
    file_bytes: int
    seconds: float
    cpu_seconds: float

    def line(self) -> str:
        speed = f"{self.file_bytes / self.seconds / 1e6:8,.0f} MB/s"
        if not self.packets:
            return f"{self.name:34} {self.seconds:7.2f} s {'':22} {speed}"
        cpu = f"{self.cpu_seconds / self.packets * 1e9:.0f} ns CPU per packet"
        return f"{self.name:34} {self.seconds:7.2f} s {self.packets / self.seconds:12,.0f} packets/s {speed}  {cpu}"


def find_trace(given: Path | None) -> Path:
    """The trace to read, made if there is none."""
    path = given or Path(
        os.environ.get("CCLEAR_BENCH_TRACE") or Path(tempfile.gettempdir()) / "cclear-bench" / "trace.pcap"
    )
    if not path.exists():
        if given or not MAKER.exists():
            raise SystemExit(f"bench: no trace at {path}; make one with make_bench_trace.py, or name another")
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"bench: making {path} (1.05 GB, once)", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, str(MAKER), str(path), "--size", "1.05GB"], check=True)
    return path


def measured(name: str, path: Path, work: Callable[[Path], int]) -> Result:
    """The median of three runs of `work`, which answers how many packets it saw."""
    return sorted((_once(name, path, work) for _ in range(3)), key=lambda result: result.seconds)[1]


def _once(name: str, path: Path, work: Callable[[Path], int]) -> Result:
    began, cpu = time.perf_counter(), time.process_time()
    packets = work(path)
    return Result(name, packets, path.stat().st_size, time.perf_counter() - began, time.process_time() - cpu)


def analysed(path: Path) -> int:
    """Decode and analyse; what is found is thrown away."""
    engine = Engine(AnalysisConfig())
    source = PcapFileSource(path)
    source.open()
    while (batch := source.read()) is not None:
        engine.take(batch)
    engine.finish()
    return source.packets


def ingested(folder: Path) -> Callable[[Path], int]:
    """The whole ingest into a store in `folder`, removed afterwards."""

    def work(path: Path) -> int:
        with tempfile.TemporaryDirectory(dir=folder) as store:
            with Ingest(Path(store)) as running:
                running.file(path)
            return running.summary.packets

    return work


def copied(folder: Path) -> Callable[[Path], int]:
    def work(path: Path) -> int:
        shutil.copyfile(path, folder / "copy")
        return 0

    return work


def run(trace: Path) -> list[Result]:
    """All measurements of one trace."""
    warm_up()
    results = [measured("decode + analysis, 1 thread", trace, analysed)]
    places = [("memory", MEMORY), ("disk", trace.parent)] if os.access(MEMORY, os.W_OK) else [("disk", trace.parent)]
    for label, parent in places:
        if shutil.disk_usage(parent).free < 3 * trace.stat().st_size:
            print(f"bench: not enough room in {parent}", file=sys.stderr)
            continue
        for name, work in (("whole ingest", ingested), ("cp", copied)):
            with tempfile.TemporaryDirectory(prefix="cstor-bench-", dir=parent) as folder:
                results.append(measured(f"{name} to {label}", trace, work(Path(folder))))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trace", type=Path, nargs="?")
    trace = find_trace(parser.parse_args().trace)
    print(f"{trace.name}: {trace.stat().st_size / 1e9:.2f} GB")
    for result in run(trace):
        print(result.line())


if __name__ == "__main__":
    main()
