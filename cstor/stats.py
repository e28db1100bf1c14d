"""What a node tells of itself: `live/status.json` for its API, twice a second, and rows for the dataset `node`, once.

Everything that moves has a counter (cstor/counters.py); what is wrong right now is an alarm, in words. Rates are of the
last second, those in alarms of the last ten.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cstor.alarms import WINDOW_S, Alarm, from_numbers, of_disk
from cstor.capture.source import Source
from cstor.counters import FULL, POOLS, Key, Numbers, Parts, by_reason, counts, grown, lanes, levels, total
from cstor.diskuse import DiskUse
from cstor.process import clock_state
from cstor.stages import STAGES
from cstor.store.layout import LIVE, overwrite_file
from cstor.store.node_rows import NodeRow
from cstor.version import VERSION

SAMPLE_S = 0.9  # between two samples that rates are made of


class Sample(NamedTuple):
    """All counters at one moment (monotonic seconds)."""

    at: float
    counts: Numbers


class NodeStats:
    """Reads the counters of a node's parts; keeps those of the last seconds, for rates. Belongs to one thread."""

    def __init__(self, root: Path, name: str, parts: Parts) -> None:
        self._path = root / LIVE / "status.json"
        self._name = name
        self._parts = parts
        self._disk = DiskUse(root)
        self._started = time.time()
        self._samples = deque([Sample(time.monotonic(), {})], maxlen=WINDOW_S + 1)
        self._told: Numbers = {}

    def rows(self, complete_until: int) -> list[NodeRow]:
        """What happened since the last call, and levels: the rows of one second."""
        now = counts(self._parts)
        happened, self._told = grown(now, self._told), now
        disk = self._disk.now()
        held = {Key("", "", "disk_used", name): use["bytes"] for name, use in disk["used"].items()}
        held[Key("", "", "disk_free", "")] = disk["free_bytes"]
        return [(*key, n) for key, n in (happened | levels(self._parts, complete_until) | held).items()]

    def write(self, complete_until: int, api_restarts: int) -> None:
        """One snapshot of everything; not synced to the disk."""
        sample = Sample(time.monotonic(), counts(self._parts))
        held = levels(self._parts, complete_until)
        status = self._status(sample, held, complete_until) | {
            "gauges": self._gauges(held) | {"api_restarts": api_restarts}
        }
        if sample.at - self._samples[-1].at >= SAMPLE_S:
            self._samples.append(sample)
        overwrite_file(self._path, json.dumps(status).encode())

    def _status(self, sample: Sample, held: Numbers, complete_until: int) -> dict[str, Any]:
        now, parts = sample.counts, self._parts
        before = next((old for old in reversed(self._samples) if sample.at - old.at >= SAMPLE_S), self._samples[0])
        seconds = max(sample.at - before.at, 1e-3)
        happened = grown(now, before.counts)
        alarms = list(self._alarms(sample, held))
        return {
            "name": self._name,
            "version": VERSION,
            "pid": os.getpid(),
            "started": self._started,
            "written": time.time(),
            "problem": next((alarm.text for alarm in alarms if alarm.severity == "critical"), None),
            "alarms": [alarm.as_json() for alarm in alarms],
            "complete_until": complete_until,
            "clock": clock_state(),
            "sources": [_source(source, happened, seconds) for source in parts.sources],
            "drops": by_reason(now, "drops"),
            "drops_per_s": {reason: round(n / seconds, 1) for reason, n in by_reason(happened, "drops").items()},
            "malformed": by_reason(now, "malformed"),
            "analysis": by_reason(now, "events"),
            "stored": {
                "packets": total(now, "stored_packets"),
                "bytes": total(now, "stored_bytes"),
                "packets_per_s": round(total(happened, "stored_packets") / seconds, 1),
                "bytes_per_s": round(total(happened, "stored_bytes") / seconds, 1),
                "rows": total(now, "rows"),
                "sessions": total(now, "sessions"),
                "failures": total(now, "write_failures"),
            },
            "table": self._table(happened, seconds),
            "stages": {stage: _stage(stage, now, happened) for stage in STAGES},
            "threads": _threads(now, happened, seconds),
            "counts": [[*key, n] for key, n in now.items()],
            "levels": [[*key, n] for key, n in held.items()],
        }

    def _alarms(self, sample: Sample, held: Numbers) -> Iterable[Alarm]:
        parts = self._parts
        if parts.segments and parts.segments.error:
            yield Alarm("packets_not_written", "critical", _unwritten(parts.segments.error))
        if parts.store.problem:
            yield Alarm("series_not_written", "critical", parts.store.problem)
        for source in parts.sources:
            if source.problem:
                yield Alarm("source", "critical", source.problem)
            yield from (Alarm("source", "notice", text) for text in source.warnings)
        oldest = self._samples[0]
        yield from from_numbers(held, grown(sample.counts, oldest.counts), sample.at - oldest.at)
        disk = self._disk.now()
        yield from of_disk(disk["free_bytes"], disk["total_bytes"])

    def _table(self, happened: Numbers, seconds: float) -> dict[str, Any]:
        counters = self._parts.counters()
        events = by_reason(happened, "events")
        return {
            **{name: counters[name] for name in ("flows", "conversations", "flow_rows", "flow_limit")},
            "pools": {pool: round(counters[f"pool_{pool}"] / counters[f"pool_{pool}_limit"], 6) for pool in POOLS},
            "occupancy": round(counters["flows"] / max(1, counters["flow_limit"]), 6),
            "opened_per_s": round(events.get("flows_opened", 0) / seconds, 1),
            "evicted_per_s": round(events.get("evicted", 0) / seconds, 1),
        }

    def _gauges(self, held: Numbers) -> dict[str, Any]:
        """Levels by name, as people read them."""
        plain: dict[str, Any] = {key.name: n for key, n in held.items() if not key.source and not key.reason}
        plain["lag_seconds"] = round(plain.pop("lag") / 1e9, 3)
        plain["table_occupancy"] /= FULL
        plain["segment_queue"] = self._parts.segments.queued if self._parts.segments else 0
        return plain


def _unwritten(error: OSError) -> str:
    return f"packets cannot be written: {error.strerror}"


def _source(source: Source, happened: Numbers, seconds: float) -> dict[str, Any]:
    def rate(name: str, thread: str | None = None, scale: float = 1.0) -> float:
        found = (n for key, n in happened.items() if key.source == source.name and key.name == name)
        if thread is not None:
            found = (n for key, n in happened.items() if key[:3] == (source.name, thread, name))
        return round(sum(found) * scale / seconds, 1)

    threads = [
        lane
        | {
            "thread": name,
            "packets_per_s": rate("packets", name),
            "bits_per_s": rate("bytes", name, 8),
            "drops_per_s": rate("drops", name),
        }
        for name, lane in lanes(source)
    ]
    fills = [lane["ring_fill"] for lane in threads if lane["ring_fill"] is not None]
    return {
        "name": source.name,
        "state": source.state,
        "problem": source.problem,
        "warnings": list(source.warnings),
        "packets": source.packets,
        "bytes": source.frame_bytes,
        "truncated": source.truncated,
        "packets_per_s": rate("packets"),
        "bits_per_s": rate("bytes", scale=8),
        "drops": source.drops(),
        "drops_per_s": rate("drops"),
        "ring_fill": max(fills, default=None),
        "threads": threads,
    }


def _stage(stage: str, now: Numbers, happened: Numbers) -> dict[str, float | None]:
    """Nanoseconds per packet: of all packets since the start, and of those of the last second."""

    def cost(numbers: Numbers) -> float | None:
        packets = by_reason(numbers, "stage_packets").get(stage, 0)
        return round(by_reason(numbers, "stage_time").get(stage, 0) / packets, 1) if packets else None

    return {"ns_per_packet": cost(now), "ns_per_packet_last": cost(happened)}


def _threads(now: Numbers, happened: Numbers, seconds: float) -> list[dict[str, Any]]:
    """Each thread's share of a core over the last second, and its time on one since the start."""
    return [
        {
            "name": key.thread,
            "cpu_s": round(n / 1e9, 3),
            "cpu_share": round(happened.get(key, 0) / 1e9 / seconds, 4),
        }
        for key, n in now.items()
        if key.name == "cpu_time"
    ]
