"""The benchmark table: `make bench`. Every figure is of this run on this machine; compare ratios, not runs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from bench.ingest import find_trace

PARTS = ("bench.analysis", "bench.ingest")


def main() -> int:
    cpu = next(
        (line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")), "unknown CPU"
    )
    print(
        f"{os.cpu_count()} cores ({cpu}), {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
    trace = find_trace(None)
    for part in PARTS:
        print(f"\n{part}", flush=True)
        # A process for each: no part finds the caches, threads or memory of another.
        done = subprocess.run([sys.executable, "-m", part, str(trace)], check=False)
        if done.returncode:
            return done.returncode
    return 0


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
