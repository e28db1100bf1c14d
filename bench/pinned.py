"""Programs on one core: what a child took, as the system accounts for it.

CPU time (user and system, with children of the child) is what speed is reckoned from: it is the same whether the
machine is otherwise idle or not, and a program that sleeps before it ends (argus: a second) does not pay for that.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

TIMEOUT_S = 1800.0


class Cost(NamedTuple):
    """What a run took."""

    cpu_s: float
    wall_s: float
    peak_bytes: int


class RunError(Exception):
    """The program failed; the text is its last line."""


def pin() -> int:
    """Keep this process, and what it starts, on one core: the last one it may use. Answers its number."""
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def run(command: Sequence[str | Path], folder: Path) -> Cost:
    """Run a program in `folder`, its output thrown away; RunError where it fails."""
    with tempfile.TemporaryFile() as errors:
        began = perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        guard = threading.Timer(TIMEOUT_S, process.kill)
        guard.daemon = True
        guard.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            guard.cancel()
        wall_s = perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            raise RunError(lines[-1] if lines else f"exit status {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * 1024)


def best(command: Sequence[str | Path], folder: Path, runs: int) -> Cost:
    """The run that took the least CPU time."""
    return min(run(command, folder) for _ in range(runs))


def less(cost: Cost, start: Cost) -> Cost:
    """What remains when starting up is taken off; never nothing, so that it can be divided by."""
    return Cost(max(cost.cpu_s - start.cpu_s, 1e-4), max(cost.wall_s - start.wall_s, 1e-4), cost.peak_bytes)
