"""What a store takes of its disk, by dataset, and what is left. Counting walks its folders, so it is done now and then.

A year of series and a terabyte of packets are some thousand files: tens of milliseconds.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from cstor.store.layout import DATASETS, LIVE

EVERY_S = 10.0


class DiskUse:
    """Bytes and files by dataset, counted anew by a thread of its own when what is known is old."""

    def __init__(self, root: Path, every_s: float = EVERY_S) -> None:
        self._root = root
        self._every_s = every_s
        self._counted = count_disk(root)
        self._counted_at = time.monotonic()
        self._lock = threading.Lock()

    def now(self) -> dict[str, Any]:
        """What was counted last; the caller never waits for the disk."""
        if time.monotonic() - self._counted_at > self._every_s and self._lock.acquire(blocking=False):
            threading.Thread(target=self._count, name="disk-use", daemon=True).start()
        return self._counted

    def _count(self) -> None:
        try:
            self._counted = count_disk(self._root)
        except OSError:
            pass  # what is known stays; that the disk cannot be read is said by whoever writes to it
        finally:
            self._counted_at = time.monotonic()
            self._lock.release()


def count_disk(root: Path) -> dict[str, Any]:
    """{"used": {dataset: {"files", "bytes"}}, "free_bytes", "total_bytes"}."""
    usage = shutil.disk_usage(root)
    used = {name: _folder(root / name) for name in ("packets", *DATASETS, LIVE)}
    return {"used": used, "free_bytes": usage.free, "total_bytes": usage.total}


def _folder(folder: Path) -> dict[str, int]:
    files = size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(path) / name).stat().st_size
                files += 1
            except FileNotFoundError:
                continue
    return {"files": files, "bytes": size}
