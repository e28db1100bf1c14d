"""Samples -> arrays: the only reader of the samples tables.

The tier of each part of a range is chosen in `slices.py`, the groups in `ranking.py`, rows travel packed (`packed.py`),
what could be measured at all is told by `coverage.py`, and what a monitor meant at the time by `definitions.py`. This
file puts them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from cstor.metrics.histogram import Cells
from monitors.intervals import Intervals, normalized
from monitors.models import Monitor, Partition, Rollup
from monitors.series import coverage
from monitors.series.coverage import Missing, Silent, Watch
from monitors.series.definitions import Defined, definitions_of
from monitors.series.packed import (
    ABSENT,
    Columns,
    Floats,
    Ints,
    Part,
    fetch,
    folded,
    merged,
    merged_whole,
    moment,
    read_ahead,
)
from monitors.series.ranking import Ranked, rank
from monitors.series.slices import Slice, plan
from monitors.series.tiers import OTHER_GROUP, ROLLUPS, RUN_S, TOTAL_GROUP, table_of, tiers_of

Bools = NDArray[np.bool_]
VOLUME = ("bytes_client", "bytes_server")
ALL_GROUPS = 5000


@dataclass(frozen=True)
class ReadRequest:
    """Bases of monitors in [start, end), both multiples of `step`, in buckets of that step.

    `by` names group keys, "monitor" or "node"; with a group key or a filter the groups are read (`limit` of them, the
    greatest by the sum of `order`), else the monitors' totals, which are exact whatever was folded into `other`.
    `whole` are bases of which one number per group is enough; `volume` tells how much is in `other`.
    """

    monitor_ids: tuple[int, ...]
    bases: tuple[str, ...]
    start: int
    end: int
    step: int
    by: tuple[str, ...] = ()
    filter: str = ""
    order: tuple[str, ...] = VOLUME
    limit: int = ALL_GROUPS
    node_ids: tuple[int, ...] = ()
    whole: tuple[str, ...] = ()
    volume: tuple[str, ...] = VOLUME

    @property
    def needs_groups(self) -> bool:
        return bool(self.filter) or any(key not in ("monitor", "node") for key in self.by)


@dataclass
class ReadResult:
    """Answer of len(groups) x len(times) cells, flattened row by row; `whole` has one cell per group.

    `seconds` is what of each cell was measured by all its nodes together; `partial` where a node is missing or another
    definition held for a part of it, `blind` where nothing was measured. `hidden` marks cells in which the group had no
    row while `other` had: it may be in there. `until` is the end of the definition that a group belongs to, None for
    the present one. `volume` is that of the whole traffic, by the totals, and of `other`.
    """

    times: Ints
    groups: list[dict[str, Any]]
    until: list[int | None]
    columns: Columns
    whole: Columns
    seconds: Floats
    partial: Bools
    blind: Bools
    folded: Bools
    gaps: list[Missing]
    watched: list[Watch]
    silent: list[Silent]
    tier: int
    complete_until: int | None
    definitions: list[Defined]
    volume: tuple[float, float] | None
    seen: dict[str, Bools] = field(default_factory=dict)

    @property
    def other_share(self) -> float | None:
        """Share of the traffic that the nodes folded into `other`; None where that says nothing."""
        return self.volume[1] / self.volume[0] if self.volume and self.volume[0] else None


def read(request: ReadRequest, monitors: Sequence[Monitor] | None = None) -> ReadResult:
    """Bases merged over nodes and time, with what is known of their completeness. `monitors` are those of the request
    where the caller has them already."""
    if monitors is None:
        monitors = list(Monitor.objects.filter(pk__in=request.monitor_ids))
    times = np.arange(request.start, request.end, request.step, dtype=np.int64)
    watched, silent = coverage.watched_and_silent(request.monitor_ids, request.node_ids)
    definitions = definitions_of(monitors)
    slices = _slices(request, monitors, request.step)
    if request.needs_groups:
        ranked = _ranked(request, monitors, definitions, watched)
    else:
        ranked = _totals(request, watched)
    with read_ahead():
        parts, rows, owners = _cells(request, ranked, slices, len(times))
        rest = _rest(request, slices, times) if request.needs_groups else (np.zeros(len(times), bool), None)
    folded_in, volume = rest
    shape = (len(ranked), len(times))
    columns = merged(request.bases, parts, owners, len(ranked) * len(times))
    present = np.zeros(len(ranked) * len(times), dtype=bool)
    for owner in owners:
        present[owner] = True
    whole = folded(columns, np.repeat(np.arange(len(ranked)), len(times)), len(ranked))
    complete = _completeness(request, ranked, watched, times, present.reshape(shape))
    return ReadResult(
        times,
        [group.keys for group in ranked],
        [group.until for group in ranked],
        columns,
        whole | merged_whole(request.whole, parts, rows, len(ranked)),
        *complete,
        ~present.reshape(shape) & folded_in & ~complete[2].reshape(shape),
        coverage.missing(watched, request.start, request.end),
        watched,
        silent,
        max((piece.tier for pieces in slices.values() for piece in pieces), default=request.step),
        coverage.complete_until(watched),
        definitions,
        volume,
        _seen(request.bases, parts, rows, len(ranked)),
    )


def _seen(bases: Sequence[str], parts: Sequence[Part], rows: Sequence[int], groups: int) -> dict[str, Bools]:
    """In which groups a base was ever counted."""
    seen = {key: np.zeros(groups, dtype=bool) for key in bases}
    for part, row in zip(parts, rows, strict=True):
        for key, column in part.columns.items():
            seen[key][row] |= len(column.pairs) > 0 if isinstance(column, Cells) else (column != ABSENT).any()
    return seen


def _slices(request: ReadRequest, monitors: Sequence[Monitor], step: int) -> dict[tuple[int, ...], list[Slice]]:
    """What to read from where, per set of monitors that share their tiers.

    Above the base tier groups are folded over the nodes, so a question about single nodes is answered by the base
    tier alone unless the monitor keeps the node.
    """
    by_tiers: dict[tuple[int, ...], list[int]] = {}
    for monitor in monitors:
        tiers = tiers_of(monitor.resolution, monitor.steps)
        if request.needs_groups and (request.node_ids or "node" in request.by) and "node" not in monitor.keys:
            tiers = tiers[:1]
        by_tiers.setdefault(tiers, []).append(monitor.pk)
    return {
        tuple(ids): plan(request.start, request.end, step, tiers, dirty_runs(ids, request.start, request.end))
        for tiers, ids in by_tiers.items()
    }


def dirty_runs(ids: Sequence[int], start: int, end: int) -> dict[int, Intervals]:
    """What of each tier may differ from its source: its own runs that wait for their roll-up, and all finer ones."""
    waiting = Rollup.objects.filter(monitor_id__in=ids, run__gt=start - max(RUN_S.values()), run__lt=end)
    runs = list(waiting.values_list("step", "run").distinct())
    return {tier: normalized((run, run + RUN_S[step]) for step, run in runs if step <= tier) for tier in ROLLUPS}


def _ranked(
    request: ReadRequest, monitors: Sequence[Monitor], definitions: Sequence[Defined], watched: Sequence[Watch]
) -> list[Ranked]:
    slices = _slices(request, monitors, 0)
    ranked = rank(definitions, request.by, request.filter, slices, request.order, request.limit, request.node_ids)
    if "node" not in request.by:
        return ranked
    nodes = sorted({watch.node_id for watch in watched})
    return [replace(group, keys=group.keys | {"node": node}) for group in ranked for node in nodes]


def _totals(request: ReadRequest, watched: Sequence[Watch]) -> list[Ranked]:
    """The rows of a question without groups: per monitor, per node, per both, or one."""
    rows: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    if "node" not in request.by:
        pairs = [(monitor_id, 0) for monitor_id in request.monitor_ids]
    else:
        pairs = sorted({(watch.monitor_id, watch.node_id) for watch in watched})
    for monitor_id, node_id in pairs:
        named = tuple(monitor_id if key == "monitor" else node_id for key in request.by)
        rows.setdefault(named, []).append((monitor_id, TOTAL_GROUP))
    return [Ranked(dict(zip(request.by, named, strict=True)), tuple(members), 0) for named, members in rows.items()]


def _cells(
    request: ReadRequest, ranked: Sequence[Ranked], slices: dict[tuple[int, ...], list[Slice]], width: int
) -> tuple[list[Part], list[int], list[Ints]]:
    """Every part that belongs to a group, that group's row, and the cells its samples fall into."""
    per_node = "node" in request.by
    row_of: dict[tuple[int, int, int], int] = {}
    for number, group in enumerate(ranked):
        for monitor_id, group_id in group.members:
            row_of[monitor_id, group_id, group.keys["node"] if per_node else 0] = number
    found: list[tuple[int, int, Part]] = []
    for ids, pieces in slices.items():
        wanted = sorted({(monitor_id, group_id) for monitor_id, group_id, _ in row_of if monitor_id in ids})
        for piece in pieces:
            for part in fetch(piece, request.bases, wanted, request.node_ids, per_node, request.whole):
                row = row_of.get((part.monitor_id, part.group_id, part.node_id))
                if row is not None:
                    found.append((row, piece.start, part))
    # In the order of the cells, so that merging histograms finds them sorted already.
    found.sort(key=lambda item: item[:2])
    owners = [row * width + (part.times - request.start) // request.step for row, _, part in found]
    return [part for _, _, part in found], [row for row, _, _ in found], owners


def _rest(
    request: ReadRequest, slices: dict[tuple[int, ...], list[Slice]], times: Ints
) -> tuple[Bools, tuple[float, float]]:
    """Per bucket whether the nodes folded anything into `other`; the volume of all traffic, and of what is in there."""
    present = np.zeros(len(times), dtype=bool)
    volume = {TOTAL_GROUP: 0.0, OTHER_GROUP: 0.0}
    for ids, pieces in slices.items():
        wanted = [(monitor_id, group_id) for monitor_id in ids for group_id in volume]
        for piece in pieces:
            for part in fetch(piece, (), wanted, request.node_ids, whole=request.volume):
                volume[part.group_id] += sum(float(np.nansum(part.whole[key])) for key in request.volume)  # type: ignore[arg-type]
                if part.group_id == OTHER_GROUP:
                    present[(part.times - request.start) // request.step] = True
    return present, (volume[TOTAL_GROUP], volume[OTHER_GROUP])


def _completeness(
    request: ReadRequest, ranked: Sequence[Ranked], watched: Sequence[Watch], times: Ints, present: Bools
) -> tuple[Floats, Bools, Bools]:
    """(seconds, partial, blind) of every cell, from the nodes that each group is measured by, and the time in which
    its definition held; `present` are the cells that have rows."""
    shape = (len(ranked), len(times))
    seconds, partial, blind = np.zeros(shape), np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool)
    if len(times) == 0 or not watched:
        return seconds.ravel(), partial.ravel(), blind.ravel()
    share = np.array([coverage.measured_share(watch, times, request.step) for watch in watched])
    cache: dict[tuple[Any, Any], tuple[Floats, Any, Any]] = {}
    for number, group in enumerate(ranked):
        who = (group.keys.get("monitor"), group.keys.get("node"))
        if who not in cache:
            cache[who] = _of_watches(share[[_concerns(watch, who) for watch in watched]])
        seconds[number], partial[number], blind[number] = cache[who]
        if group.since or group.until:
            outside, across = _validity(group, times, request.step)
            unmeant = outside & ~present[number]
            blind[number] |= unmeant
            partial[number] = (partial[number] | across) & ~blind[number]
            seconds[number][unmeant] = 0
    return (seconds * request.step).ravel(), partial.ravel(), blind.ravel()


def _validity(group: Ranked, times: Ints, step: int) -> tuple[Bools, Bools]:
    """(outside, across): buckets in which the group's definition did not hold, and those in which it did for a part."""
    low, high = group.since, group.until or int(times[-1]) + step
    outside = (times + step <= low) | (times >= high)
    return outside, ~outside & ((times < low) | (times + step > high))


def _concerns(watch: Watch, who: tuple[Any, Any]) -> bool:
    return who[0] in (None, watch.monitor_id) and who[1] in (None, watch.node_id)


def _of_watches(share: Floats) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """A bucket is a node's if the node measured half of it; the rest would be said of time nobody watched."""
    known = np.nan_to_num(share, nan=0.0)
    absent = known < 0.5
    if len(share) == 0:
        return np.zeros(share.shape[1]), np.zeros(share.shape[1], dtype=bool), np.ones(share.shape[1], dtype=bool)
    blind = np.asarray(absent.all(axis=0))
    partial = np.asarray((absent & np.isfinite(share)).any(axis=0) & ~blind)
    return known.max(axis=0), partial, blind


def extent(monitors: Sequence[Monitor]) -> tuple[int, int] | None:
    """[first, last) second that has samples of these monitors in any tier; None where there are none."""
    low, high = [], []
    for monitor in monitors:
        for tier in tiers_of(monitor.resolution, monitor.steps):
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT extract(epoch FROM min(t)), extract(epoch FROM max(t)) FROM {table_of(tier)}"
                    " WHERE monitor_id = %s AND group_id = %s",
                    [monitor.pk, TOTAL_GROUP],
                )
                first, last = cursor.fetchone()
            if first is not None:
                low.append(int(first))
                high.append(int(last) + tier)
    return (min(low), max(high)) if low else None


def finest_kept(monitors: Sequence[Monitor], start: int, end: int) -> int:
    """The finest step that all these monitors still have for the whole range: retention drops fine tiers first."""
    dropped = set(
        Partition.objects.filter(dropped__isnull=False, lower__lt=moment(end), upper__gt=moment(start)).values_list(
            "step", flat=True
        )
    )
    finest = 1
    for monitor in monitors:
        tiers = tiers_of(monitor.resolution, monitor.steps)
        finest = max(finest, next((tier for tier in tiers if tier not in dropped), tiers[-1]))
    return finest
