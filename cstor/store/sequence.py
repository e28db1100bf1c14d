"""Numbers for parts and segments that are never used twice in the life of a store."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from cstor.store.layout import DATASETS, LIVE, hours

_LAST_NUMBER = re.compile(r"-(\d{10})\.(?:parquet|pcap|idx|log)$")


class Sequence:
    """Counts on from the greatest number that any file of the store bears. Safe between threads."""

    def __init__(self, root: Path) -> None:
        self._lock = threading.Lock()
        folders = [folder for dataset in (*DATASETS, "packets") for _, folder in hours(root, dataset)]
        self._last = max((_greatest(folder) for folder in [root / LIVE, *folders]), default=0)

    def next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last


def _greatest(folder: Path) -> int:
    found = (_LAST_NUMBER.search(entry.name) for entry in os.scandir(folder))
    return max((int(match[1]) for match in found if match), default=0)
