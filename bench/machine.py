"""The machine that figures are of: processor, memory, system, and the versions that matter."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import numba
import numpy as np


def machine() -> str:
    """One line."""
    versions = f"Python {platform.python_version()}, Numba {numba.__version__}, NumPy {np.__version__}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({_processor()}), {memory:.0f} GB, {platform.system()} {platform.release()}, {versions}"


def now() -> str:
    """When, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def load() -> str:
    """A warning where the machine is busy with other things, else nothing."""
    busy = os.getloadavg()[0]
    return f"The machine is busy (load {busy:.1f}): compare ratios only.\n" if busy > 0.7 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )
