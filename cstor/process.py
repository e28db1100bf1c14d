"""What the operating system says of this process and this machine: memory, time on a processor by thread, the clock.

Linux only, as the rest of the node: proc(5), adjtimex(2).
"""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path
from typing import Any

_TASKS = Path("/proc/self/task")
_PAGE = os.sysconf("SC_PAGESIZE")
_UNSYNCHRONISED = 0x40  # STA_UNSYNC
_ERROR = 5  # TIME_ERROR: what adjtimex returns for a clock that nobody disciplines


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def cpu_ns() -> dict[str, int]:
    """Nanoseconds that each thread has run, by its name; threads of one name, and those of libraries, are added up."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: dict[str, int] = {}
    for task in _TASKS.iterdir():
        try:
            ran = int((task / "schedstat").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue  # it ended just now, or the kernel keeps no such account
        name = thread_name(names.get(int(task.name), "libraries"))
        found[name] = found.get(name, 0) + ran
    return found


def thread_name(name: str) -> str:
    """The main thread is called `main`; threads of a pool share its name."""
    return "main" if name == "MainThread" else name.rpartition("_")[0] or name


class _Timex(ctypes.Structure):
    """The head of struct timex of 64-bit Linux; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


def clock_state() -> dict[str, Any]:
    """Whether the wall clock is kept in step by NTP or PTP, and the largest error that the kernel vouches for.

    Time stamps of several nodes are merged: one that drifts makes durations between them wrong.
    """
    timex = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        return {"synchronised": None, "max_error_s": None}
    in_step = state != _ERROR and not timex.status & _UNSYNCHRONISED
    return {"synchronised": in_step, "max_error_s": timex.maxerror / 1e6}
