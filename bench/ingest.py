"""Whole ingest (packets, index, series and sessions written) beside `cp`: `python -m bench.ingest [TRACE] [--quick]`.

To a memory file system where there is one, then to the disk of the trace. The clock on the wall counts, the median of
three runs; figures of a disk stand for nothing without the copy beside them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.analysis import get_ready, into_page_cache
from bench.table import megabytes, speed, table, verdict
from bench.traces import MEMORY, traces_of
from cstor.ingest import Ingest

TARGET = 1_500_000  # packets/s, to memory
HEAD = ("what", "seconds", "packets/s", "MB/s", "CPU ns/packet", "target")


class Took(NamedTuple):
    """What one run took."""

    packets: int
    wall_s: float
    cpu_s: float


def _took(path: Path, folder: Path, work: Callable[[Path, Path], int]) -> Took:
    began, cpu = time.perf_counter(), time.process_time()
    packets = work(path, folder)
    return Took(packets, time.perf_counter() - began, time.process_time() - cpu)


def ingested(path: Path, folder: Path) -> int:
    """Into a store below `folder`, removed afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as store:
        with Ingest(Path(store)) as running:
            running.file(path)
        return running.summary.packets


def copied(path: Path, folder: Path) -> int:
    """What the system makes of the same file."""
    shutil.copyfile(path, folder / "copy")
    return 0


def rows(trace: Path, runs: int) -> Iterator[tuple[str, ...]]:
    """Two rows per place; a place without room for it is left out, which is said."""
    size = trace.stat().st_size
    places = [("memory", MEMORY), ("disk", trace.parent)] if os.access(MEMORY, os.W_OK) else [("disk", trace.parent)]
    for label, parent in places:
        if shutil.disk_usage(parent).free < 3 * size:
            print(f"bench: not enough room in {parent}", file=sys.stderr)
            continue
        for name, work in (("whole ingest", ingested), ("cp", copied)):
            with tempfile.TemporaryDirectory(prefix="cstor-bench-", dir=parent) as folder:
                took = sorted((_took(trace, Path(folder), work) for _ in range(runs)), key=lambda one: one.wall_s)
            packets, wall_s, cpu_s = took[runs // 2]
            moved = megabytes(size, wall_s)
            if not packets:
                yield f"{name} to {label}", f"{wall_s:.2f}", "-", moved, "-", "-"
                continue
            aim = f"1,500,000: {verdict(packets / wall_s, TARGET)}" if label == "memory" else "beside cp"
            each = f"{cpu_s / packets * 1e9:,.0f}"
            yield f"{name} to {label}", f"{wall_s:.2f}", speed(packets, wall_s), moved, each, aim


def main() -> None:
    traces = traces_of(None, __doc__)
    into_page_cache(traces.plain)
    get_ready(traces.plain)
    print(table(HEAD, list(rows(traces.plain, 1 if traces.quick else 3))))


if __name__ == "__main__":
    main()
