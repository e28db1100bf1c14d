"""The rows of the list of monitors: their state, what they cost, and narrowing them by words, tag and state."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Prefetch, Q

from monitors import state
from monitors.intervals import length
from monitors.models import Monitor, NodeGroup, Pull
from monitors.preview.cost import Cost, estimate

# What the drop-down offers: words for the operator, states of monitors.state for us.
STATES = {
    "trouble": ("In trouble", ("down", "warning")),
    "ok": ("Fine", ("ok", "busy")),
    "unknown": ("Nothing pulled yet", ("unknown",)),
    "off": ("Switched off", ("off",)),
}


@dataclass(frozen=True)
class Row:
    """One monitor of the list."""

    monitor: Monitor
    state: state.State
    pulls: tuple[Pull, ...]

    @property
    def rows_per_minute(self) -> float | None:
        return pulled_per_minute(self.pulls)

    @property
    def groups(self) -> list[NodeGroup]:
        return list(self.monitor.groups.all())


def narrowed(params: Mapping[str, str], by_name: bool = False) -> list[Row]:
    """Monitors that fit `q` (name, filter, description, tag), `tag` and `state`; the worst first."""
    now = time.time()
    found = Monitor.objects.prefetch_related(
        "nodes", "groups", Prefetch("pulls", Pull.objects.select_related("node", "monitor"))
    )
    for word in str(params.get("q") or "").split()[:8]:
        found = found.filter(
            Q(name__icontains=word)
            | Q(filter__icontains=word)
            | Q(description__icontains=word)
            | Q(tags__contains=[word])
            | Q(nodes__name__iexact=word)
            | Q(groups__name__iexact=word)
        )
    if params.get("tag"):
        found = found.filter(tags__contains=[params["tag"]])
    rows = []
    for monitor in found.distinct():
        pulls = tuple(monitor.pulls.all())
        rows.append(Row(monitor, state.of_monitor(monitor, list(pulls), now), pulls))
    wanted = STATES.get(str(params.get("state") or ""))
    if wanted:
        rows = [row for row in rows if row.state.key in wanted[1]]
    if not by_name:
        rows.sort(key=lambda row: (-state.SEVERITY.index(row.state.key), row.monitor.name))
    return rows


def all_tags() -> list[str]:
    """Every tag that a monitor has, in order."""
    lists = Monitor.objects.exclude(tags=[]).values_list("tags", flat=True)
    return sorted({word for words in lists for word in words}, key=str.lower)


def pulled_per_minute(pulls: tuple[Pull, ...]) -> float | None:
    """Rows of the finest step per minute, over all that was pulled; None before the first minute of data."""
    rates = [pull.rows * 60 / covered for pull in pulls if (covered := length(pull.covered)) >= 60]
    return sum(rates) if rates else None


def cost_of(monitor: Monitor, pulls: tuple[Pull, ...]) -> Cost | None:
    """What it costs a day, going by what was pulled."""
    rate = pulled_per_minute(pulls)
    if rate is None:
        return None
    groups = rate * monitor.resolution / 60
    return estimate(rate, groups, monitor.resolution, monitor.steps)
