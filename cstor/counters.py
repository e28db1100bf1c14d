"""Everything that a node counts, flat: (source, thread, name, reason) -> number. The one list behind status, /metrics
and the dataset `node`.

Names are the keys of cstor/metrics/groups/node.py, integers in the units of their bases; an empty text is "none". What
only grows is counted from the start, levels are what they are now.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cstor.capture.reorder import ReorderWindow
from cstor.capture.source import Source
from cstor.engine import Engine
from cstor.process import cpu_ns, resident_bytes
from cstor.stages import STAGES, Stages
from cstor.store.segment import QUEUED_BUFFERS, SegmentWriter
from cstor.store.writer import StoreWriter

SECOND_NS = 1_000_000_000
FULL = 10_000  # shares are stored as hundredths of a percent
POOLS = ("cells", "bins")  # of the flow table: histograms in the making, and their bins
# Of the analysis' counters those that are levels ...
LEVELS = (
    *("flows", "conversations", "flow_rows", "flow_limit"),
    *(f"pool_{name}{end}" for name in POOLS for end in ("", "_limit")),
)
ELSEWHERE = ("packets", "sessions")  # ... and those that have a name of their own


class Key(NamedTuple):
    """What a number is about."""

    source: str
    thread: str
    name: str
    reason: str


Numbers = dict[Key, int]


@dataclass
class Parts:
    """The parts of a node that count. `stages` are those of threads beside the engine's own."""

    sources: Sequence[Source]
    engine: Engine
    window: ReorderWindow
    store: StoreWriter
    segments: SegmentWriter | None = None
    stages: Sequence[Stages] = field(default=())

    @property
    def all_stages(self) -> list[Stages]:
        return [self.engine.stages, *self.stages]

    def counters(self) -> dict[str, int]:
        """Of the analysis, by name: what only grows and what does not."""
        return self.engine.analysis.counters()

    def events(self) -> dict[str, int]:
        """What else happened, by reason."""
        grown = {name: n for name, n in self.counters().items() if name not in (*LEVELS, *ELSEWHERE)}
        moved = {"mirror_reordered": self.window.moved, "clamped_time": self.window.clamped}
        held = self.store.held  # a disk that was full for longer than memory lasted
        moved |= {"lost_seconds": held.lost_seconds, "lost_sessions": held.lost_sessions}
        return grown | moved | self.engine.decoder.fragments.statistics()


def counts(parts: Parts) -> Numbers:
    """What only grows."""
    out: Numbers = {}
    for source in parts.sources:
        out |= _received(source)
    out |= {Key("", "", "malformed", reason): n for reason, n in parts.engine.decoder.malformed().items()}
    out |= {Key("", "", "events", reason): n for reason, n in parts.events().items()}
    out |= _stored(parts)
    out |= {Key("", thread, "cpu_time", ""): ns for thread, ns in cpu_ns().items()}
    for stages in parts.all_stages:
        for stage in STAGES:
            out[Key("", stages.thread, "stage_time", stage)] = stages.ns[stage]
            out[Key("", stages.thread, "stage_packets", stage)] = stages.packets
    return out


def _received(source: Source) -> Numbers:
    out: Numbers = {}
    apart = dict(source.drops())  # of no thread: what the interface itself lost
    for name, lane in lanes(source):
        out[Key(source.name, name, "packets", "")] = lane["packets"]
        out[Key(source.name, name, "bytes", "")] = lane["bytes"]
        if "freezes" in lane:
            out[Key(source.name, name, "events", "ring_freezes")] = lane["freezes"]
        for reason, n in lane["drops"].items():
            out[Key(source.name, name, "drops", reason)] = n
            apart[reason] = apart.get(reason, 0) - n
    return out | {Key(source.name, "", "drops", reason): n for reason, n in apart.items() if n > 0}


def _stored(parts: Parts) -> Numbers:
    out = {Key("", "", "sessions", ""): parts.engine.sessions, Key("", "", "write_failures", ""): parts.store.failures}
    out[Key("", "", "rows", "")] = parts.store.rows
    segments = parts.segments
    if segments:
        out[Key("", "", "stored_packets", "")] = segments.written_packets
        out[Key("", "", "stored_bytes", "")] = segments.written_bytes
        out[Key("", "segments", "drops", "disk_slow")] = segments.dropped_slow
        out[Key("", "segments", "drops", "disk_full")] = segments.dropped_full
    return out


def levels(parts: Parts, complete_until: int) -> Numbers:
    """How much there is of what comes and goes."""
    out: Numbers = {}
    for source in parts.sources:
        for name, lane in lanes(source):
            if lane["ring_fill"] is not None:
                out[Key(source.name, name, "ring_fill", "")] = round(lane["ring_fill"] * FULL)
    counters = parts.counters()
    out[Key("", "", "flows", "")] = counters["flows"]
    out[Key("", "", "conversations", "")] = counters["conversations"]
    out[Key("", "", "table_occupancy", "")] = round(counters["flows"] * FULL / max(1, counters["flow_limit"]))
    for pool in POOLS:
        used, room = counters[f"pool_{pool}"], counters[f"pool_{pool}_limit"]
        out[Key("", "", "pool_fill", pool)] = round(used * FULL / max(1, room))
    out[Key("", "", "lag", "")] = max(0, time.time_ns() - complete_until * SECOND_NS) if complete_until else 0
    out[Key("", "", "write_queue", "")] = round(parts.segments.queued * QUEUED_BUFFERS) if parts.segments else 0
    out[Key("", "", "publish_backlog", "")] = parts.store.backlog
    out[Key("", "", "reorder_held", "")] = parts.window.held
    out[Key("", "", "memory", "")] = resident_bytes()
    return out


def lanes(source: Source) -> list[tuple[str, dict[str, Any]]]:
    """The counters of each capture thread of a source, by the thread's name."""
    return [(f"capture-{lane['thread']}", lane) for lane in source.threads()]


def total(numbers: Numbers, name: str) -> int:
    return sum(n for key, n in numbers.items() if key.name == name)


def worst(numbers: Numbers, name: str) -> int:
    """The largest of one name's numbers, 0 without any."""
    return max((n for key, n in numbers.items() if key.name == name), default=0)


def grown(now: Numbers, before: Numbers) -> Numbers:
    """What counters grew by; one that began anew (a source opened again) grew by what it has."""
    out = {}
    for key, n in now.items():
        then = before.get(key, 0)
        out[key] = n - then if n >= then else n
    return out


def by_reason(numbers: Numbers, name: str, source: str | None = None) -> dict[str, int]:
    """One name's numbers over all threads, by reason."""
    out: dict[str, int] = {}
    for key, n in numbers.items():
        if key.name == name and source in (None, key.source):
            out[key.reason] = out.get(key.reason, 0) + n
    return out
