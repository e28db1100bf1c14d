"""What could be measured when: the seconds each node of each monitor was captured and fetched, and the gaps between.

A missing row means 0 where the second is covered (fetched) and observed (the node was capturing), and nothing at all
elsewhere. Before a node's first covered second it was no target yet: that is no gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from monitors.intervals import Interval, Intervals, clip, intersect, normalized, subtract
from monitors.models import Observed, Pull, Target

STALE_S = 120


@dataclass(frozen=True)
class Watch:
    """One monitor on one node: what was fetched, what the node captured, and what it had lost before it was asked.

    `asked` says whether the monitor still asks this node, by itself or through a group: one that left is no gap.
    `error` is why the last call failed, empty while all is well.
    """

    monitor_id: int
    node_id: int
    node: str
    covered: Intervals
    observed: Intervals | None
    lost: Intervals
    interval_s: int
    asked: bool = True
    error: str = ""

    @property
    def since(self) -> int:
        return self.covered[0][0]

    @property
    def until(self) -> int:
        return self.covered[-1][1]

    def measured(self) -> Intervals:
        return self.covered if self.observed is None else intersect(self.covered, self.observed)


@dataclass(frozen=True)
class Missing:
    """A time in which one node is missing, and why, in plain words; `kind` is down, unfetched, lost or idle."""

    start: int
    end: int
    node_id: int
    reason: str
    kind: str = ""


@dataclass(frozen=True)
class Silent:
    """A node that a monitor asks and that has never answered it; `error` is what it, or its absence, said."""

    monitor_id: int
    node: str
    error: str


def watches(monitor_ids: Sequence[int], node_ids: Sequence[int] = ()) -> list[Watch]:
    """Pull states that have fetched anything at all."""
    return watched_and_silent(monitor_ids, node_ids)[0]


def watched_and_silent(monitor_ids: Sequence[int], node_ids: Sequence[int] = ()) -> tuple[list[Watch], list[Silent]]:
    """Pull states that have fetched anything at all, and the failing ones that have not."""
    pulls = Pull.objects.filter(monitor_id__in=monitor_ids)
    if node_ids:
        pulls = pulls.filter(node_id__in=node_ids)
    observed = dict(Observed.objects.values_list("node_id", "observed"))
    asked = set(Target.objects.filter(monitor_id__in=monitor_ids).values_list("monitor_id", "node_id"))
    names = ("monitor_id", "node_id", "node__name", "covered", "lost", "monitor__interval_s", "error", "node__error")
    found, silent = [], []
    for monitor_id, node_id, node, covered, lost, interval_s, error, node_error in pulls.values_list(*names):
        is_asked, why = (monitor_id, node_id) in asked, error or node_error
        if covered:
            state = (covered, observed.get(node_id), lost, interval_s, is_asked, why)
            found.append(Watch(monitor_id, node_id, node, *state))
        elif why and is_asked:
            silent.append(Silent(monitor_id, node, why))
    return found, silent


def complete_until(found: Sequence[Watch]) -> int | None:
    """Up to where every node that keeps up has answered; one that lags by minutes is a gap, not a brake."""
    found = [watch for watch in found if watch.asked] or found
    if not found:
        return None
    newest = max(watch.until for watch in found)
    return min(watch.until for watch in found if watch.until >= newest - lateness(watch))


def lateness(watch: Watch) -> int:
    return max(STALE_S, 3 * watch.interval_s)


def missing(found: Sequence[Watch], start: int, end: int) -> list[Missing]:
    """Every stretch of [start, end) in which a node that should have been there was not, each monitor by itself."""
    until = {one: complete_until([watch for watch in found if watch.monitor_id == one]) for one in _monitors(found)}
    merged: dict[tuple[int, str, str], list[Interval]] = {}
    for watch in found:
        last = (until[watch.monitor_id] or end) if watch.asked else watch.until
        for item in _missing_of(watch, max(start, watch.since), min(end, last)):
            merged.setdefault((item.node_id, item.reason, item.kind), []).append((item.start, item.end))
    return sorted(
        (
            Missing(low, high, node, why, kind)
            for (node, why, kind), spans in merged.items()
            for low, high in normalized(spans)
        ),
        key=lambda item: item.start,
    )


def _monitors(found: Sequence[Watch]) -> set[int]:
    return {watch.monitor_id for watch in found}


def _missing_of(watch: Watch, start: int, end: int) -> list[Missing]:
    if end <= start:
        return []
    whole: Intervals = ((start, end),)
    unfetched = subtract(whole, watch.covered)
    lost = intersect(unfetched, watch.lost)
    owed = subtract(unfetched, lost)
    late = clip(owed, watch.until, end)
    kinds = [
        ("unfetched", subtract(owed, late), f"not yet fetched from {watch.node}"),
        ("down", late, f"{watch.node} is down: {watch.error}" if watch.error else f"{watch.node} has not answered"),
        ("lost", lost, f"{watch.node} no longer keeps this time"),
    ]
    if watch.observed is not None:
        idle = subtract(intersect(whole, watch.covered), watch.observed)
        kinds.append(("idle", idle, f"{watch.node} was not capturing"))
    return [Missing(low, high, watch.node_id, why, kind) for kind, spans, why in kinds for low, high in spans]


def measured_share(watch: Watch, times: NDArray[np.int64], step: int) -> NDArray[np.float64]:
    """Share of each bucket that this watch measured; NaN where it was no target: before its first second, and
    after its last if it is not asked any more."""
    start, end = int(times[0]), int(times[-1]) + step
    share = np.zeros(len(times))
    for low, high in clip(watch.measured(), start, end):
        first, last = (low - start) // step, (high - 1 - start) // step
        share[first : last + 1] += step
        share[first] -= (low - start) - first * step
        share[last] -= (last + 1) * step - (high - start)
    share /= step
    share[times + step <= watch.since] = np.nan
    if not watch.asked:
        share[times >= watch.until] = np.nan
    return share


def state_of(monitor_ids: Sequence[int]) -> str:
    """Changes whenever an answer about these monitors may: what is covered, lost, observed or pulled anew."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT md5(coalesce((
                     SELECT string_agg(concat_ws(' ', monitor_id, p.node_id, covered, lost, revisions, observed), ','
                                       ORDER BY monitor_id, p.node_id)
                     FROM monitors_pull p LEFT JOIN monitors_observed o ON o.node_id = p.node_id
                     WHERE monitor_id = ANY(%(ids)s)), ''))""",
            {"ids": list(monitor_ids)},
        )
        return str(cursor.fetchone()[0])
