"""Retention and compaction beside a running capture: a thread of low priority, once a minute."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path

import duckdb

from cstor.config import Retention
from cstor.store.compact import compact
from cstor.store.retention import enforce

INTERVAL_S = 60.0
NICE = 15

log = logging.getLogger("cstor.store")


class Maintenance:
    """Started and stopped by the node that holds the store's lock."""

    def __init__(self, root: Path, retention: Retention) -> None:
        self._root = root
        self._retention = retention
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
        while not self._stopping.wait(INTERVAL_S):
            try:
                enforce(self._root, self._retention)
                compact(self._root)
            except (OSError, duckdb.Error) as error:
                log.warning("retention or compaction failed, tried again in a minute: %s", error)
