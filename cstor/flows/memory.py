"""Tables that are reserved at their largest size and cost memory only where they are used.

A table that grows by copying stops the analysis while it copies, and holds everything twice. Here the address space
is taken at once; the kernel backs pages when they are first written, large ones where it can (random rows of a big
table miss the processor's page table cache less often). Rows are handed out from the front, so that what is touched
stays dense.
"""

from __future__ import annotations

import ctypes
import mmap
from contextlib import suppress

import numpy as np


def reserve(count: int, dtype: np.dtype | type) -> np.ndarray:
    """Zeros, aligned to a page, of which no byte takes memory yet."""
    size = max(count, 1) * np.dtype(dtype).itemsize
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0))
    with suppress(AttributeError, OSError):  # a kernel without large pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype, max(count, 1))


def copied(records: np.ndarray) -> np.ndarray:
    """A copy of contiguous records as the bytes that they are; NumPy's own goes from field to field."""
    return records.view(np.uint8).copy().view(records.dtype)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_ names of mallopt(3)


def keep_freed() -> None:
    """Let the C library keep up to 256 MB that was freed, in place of giving each large array back to the kernel.

    Every second has arrays of some megabytes. Given back and asked for again they cost a page fault for each page, and
    with several threads an interruption of every other core (an ingest took twice the time). Elsewhere than with glibc
    nothing happens.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 32 << 20)
        library.mallopt(_TRIM_THRESHOLD, 256 << 20)
