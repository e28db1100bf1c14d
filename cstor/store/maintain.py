"""Retention and compaction beside a running capture: a thread of low priority, once a minute.

Free space is looked at every two seconds: a fast capture fills the floor that retention keeps within a minute.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from pathlib import Path

import duckdb

from cstor.config import Retention
from cstor.store.compact import compact
from cstor.store.layout import StoreError
from cstor.store.retention import enforce, free_floor

INTERVAL_S = 60.0
LOOK_S = 2.0
NICE = 15

log = logging.getLogger("cstor.store")


class Maintenance:
    """Started and stopped by the node that holds the store's lock."""

    def __init__(self, root: Path, retention: Retention) -> None:
        self._root = root
        self._retention = retention
        self.removed_files = 0
        self.compacted_files = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="maintenance", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        done_at = time.monotonic()
        while not self._stopping.wait(LOOK_S):
            is_due = time.monotonic() - done_at >= INTERVAL_S
            try:
                if is_due or self._is_short():
                    self.removed_files += enforce(self._root, self._retention)
                if is_due:
                    self.compacted_files += compact(self._root, retention=self._retention, stopping=self._stopping)
            except (OSError, StoreError, duckdb.Error) as error:
                log.warning("retention or compaction failed, tried again in a minute: %s", error)
            if is_due:
                done_at = time.monotonic()

    def _is_short(self) -> bool:
        return shutil.disk_usage(self._root).free < free_floor(self._root, self._retention.min_free)
