"""The node's own counters, written to live/status.json once a second: what status, /metrics and healthz tell.

Everything that moves has a counter here; what is wrong right now is `problem`, in words.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cstor.capture.reorder import ReorderWindow
from cstor.capture.source import Source
from cstor.engine import Engine
from cstor.store.layout import LIVE
from cstor.store.segment import SegmentWriter
from cstor.store.writer import StoreWriter
from cstor.version import VERSION

LEVELS = ("flows", "conversations", "flow_rows", "flow_limit")  # of the analysis' counters those that also fall


class NodeStats:
    """Reads the counters of a node's parts; keeps those of a second ago, for rates."""

    def __init__(self, root: Path, name: str, sources: Sequence[Source]) -> None:
        self._path = root / LIVE / "status.json"
        self._name = name
        self._sources = sources
        self._started = time.time()
        self._before: dict[str, tuple[float, int, int]] = {}

    def write(
        self,
        engine: Engine,
        window: ReorderWindow,
        store: StoreWriter,
        segments: SegmentWriter | None,
        complete_until: int,
        api_restarts: int,
    ) -> None:
        """One snapshot of everything; not synced to the disk."""
        drops = {"disk": segments.dropped_packets if segments else 0}
        for source in self._sources:
            for reason, count in source.drops().items():
                drops[reason] = drops.get(reason, 0) + count
        counters = engine.analysis.counters()
        levels = {name: counters.pop(name) for name in LEVELS if name in counters}
        now = time.time()
        self._put(
            {
                "name": self._name,
                "version": VERSION,
                "pid": os.getpid(),
                "started": self._started,
                "written": now,
                "problem": self._problem(store, segments),
                "complete_until": complete_until,
                "sources": [self._source(source, now) for source in self._sources],
                "drops": drops,
                "malformed": engine.decoder.malformed(),
                "analysis": counters
                | {"mirror_reordered": window.moved, "clamped_time": window.clamped}
                | engine.decoder.fragments.statistics(),
                "stored": {
                    "packets": segments.written_packets if segments else 0,
                    "bytes": segments.written_bytes if segments else 0,
                    "sessions": engine.sessions,
                    "failures": store.failures,
                },
                "gauges": levels
                | {
                    "reorder_held": window.held,
                    "segment_queue": segments.queued if segments else 0,
                    "publish_backlog": store.backlog,
                    "lag_seconds": round(now - complete_until, 3),
                    "api_restarts": api_restarts,
                },
            }
        )

    @staticmethod
    def _problem(store: StoreWriter, segments: SegmentWriter | None) -> str | None:
        if segments and segments.error:
            return f"packets cannot be written: {segments.error.strerror}"
        return store.problem

    def _source(self, source: Source, now: float) -> dict[str, Any]:
        then, packets, frame_bytes = self._before.get(source.name, (self._started, 0, 0))
        elapsed = max(now - then, 1e-3)
        self._before[source.name] = (now, source.packets, source.frame_bytes)
        return {
            "name": source.name,
            "packets": source.packets,
            "bytes": source.frame_bytes,
            "packets_per_s": round((source.packets - packets) / elapsed, 1),
            "bits_per_s": round((source.frame_bytes - frame_bytes) * 8 / elapsed, 1),
            "drops": source.drops(),
        }

    def _put(self, status: dict[str, Any]) -> None:
        hidden = self._path.with_name(".status.json.tmp")
        hidden.write_text(json.dumps(status))
        hidden.replace(self._path)
