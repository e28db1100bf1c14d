"""What a monitor meant when: its definitions in turn, what of a question each can answer, and what changed between.

Old rows stay when a filter or keys are edited, under groups of the old revision. A figure never adds the two sides up;
`until` of an old definition is what keeps its groups apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from monitors.models import Definition, Monitor
from monitors.models.monitor import KEYS


@dataclass(frozen=True)
class Defined:
    """A monitor's definition in [since, until): None where it has held from the beginning, or holds now."""

    monitor: Monitor
    revision: int
    since: int | None
    until: int | None
    said: dict[str, Any]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.said.get("keys", ()))

    @property
    def filter(self) -> str:
        return str(self.said.get("filter", ""))


@dataclass(frozen=True)
class Change:
    """At second `t` the monitor was edited; `text` says how."""

    t: int
    monitor: Monitor
    text: str


def definitions_of(monitors: Sequence[Monitor]) -> list[Defined]:
    """All definitions of these monitors, each monitor's oldest first."""
    edited = [monitor.pk for monitor in monitors if monitor.revision > 1]
    rows: dict[int, list[Definition]] = {}
    for row in Definition.objects.filter(monitor__in=edited).order_by("revision"):
        rows.setdefault(row.monitor_id, []).append(row)
    return [item for monitor in monitors for item in _in_turn(monitor, rows.get(monitor.pk, ()))]


def _in_turn(monitor: Monitor, rows: Sequence[Definition]) -> Iterator[Defined]:
    said = [(row.revision, row.since, row.definition) for row in rows if row.revision < monitor.revision]
    present = next((row.since for row in rows if row.revision == monitor.revision), monitor.changed)
    said.append((monitor.revision, present, monitor.definition()))
    edges = [None, *(int(since.timestamp()) for _, since, _ in said[1:]), None]
    for (revision, _, definition), (since, until) in zip(said, pairwise(edges), strict=True):
        yield Defined(monitor, revision, since, until, definition)


def changes(definitions: Sequence[Defined], start: int, end: int) -> list[Change]:
    """The edits in [start, end), oldest first."""
    found = [
        Change(after.since, after.monitor, _difference(before.said, after.said))
        for before, after in pairwise(definitions)
        if before.monitor == after.monitor and after.since is not None and start <= after.since < end
    ]
    return sorted(found, key=lambda change: change.t)


def _difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    parts = []
    if before.get("filter", "") != after.get("filter", ""):
        parts.append(f"filter was {before.get('filter') or 'empty'}, is {after.get('filter') or 'empty'}")
    gone = [key for key in before.get("keys", ()) if key not in after.get("keys", ())]
    new = [key for key in after.get("keys", ()) if key not in before.get("keys", ())]
    if new:
        parts.append(f"grouped by {_labels(new)} too")
    if gone:
        parts.append(f"no longer grouped by {_labels(gone)}")
    if before.get("kind") != after.get("kind"):
        parts.append("another kind")
    if before.get("config") != after.get("config"):
        parts.append("other settings of its kind")
    return "; ".join(parts) or "other order of keys"


def _labels(keys: Sequence[str]) -> str:
    return ", ".join(KEYS.get(key, key).lower().replace("vni", "VNI").replace("vlan", "VLAN") for key in keys)
