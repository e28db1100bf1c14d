"""Samples -> arrays: the only reader of the samples tables.

The tier of each part of a range is chosen in `slices.py`, the groups in `ranking.py`, rows travel packed (`packed.py`),
and what could be measured at all is told by `coverage.py`. This file puts them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from cstor.metrics.histogram import Cells
from monitors.intervals import Intervals, normalized
from monitors.models import Monitor, Partition, Rollup
from monitors.series import coverage
from monitors.series.coverage import Missing, Watch, watches
from monitors.series.packed import Columns, Floats, Ints, Part, fetch, folded, merged, moment
from monitors.series.ranking import Ranked, rank
from monitors.series.slices import Slice, plan
from monitors.series.tiers import OTHER_GROUP, ROLLUPS, RUN_S, TOTAL_GROUP, table_of, tiers_of

VOLUME = ("bytes_client", "bytes_server")
ALL_GROUPS = 5000


@dataclass(frozen=True)
class ReadRequest:
    """Bases of monitors in [start, end), both multiples of `step`, in buckets of that step.

    `by` names group keys, "monitor" or "node"; with a group key or a filter the groups are read (`limit` of them, the
    greatest by the sum of `order`), else the monitors' totals, which are exact whatever was folded into `other`.
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

    @property
    def needs_groups(self) -> bool:
        return bool(self.filter) or any(key not in ("monitor", "node") for key in self.by)


@dataclass
class ReadResult:
    """Answer of len(groups) x len(times) cells, flattened row by row; `whole` has one cell per group.

    `seconds` is what of each cell was measured by all its nodes together; `partial` where a node is missing, `blind`
    where all are. `folded` marks cells in which the group had no row while `other` had: it may be in there. `seen`
    tells of each base in which groups it was ever counted.
    """

    times: Ints
    groups: list[dict[str, Any]]
    columns: Columns
    whole: Columns
    seconds: Floats
    partial: NDArray[np.bool_]
    blind: NDArray[np.bool_]
    folded: NDArray[np.bool_]
    gaps: list[Missing]
    watched: list[Watch]
    tier: int
    complete_until: int | None
    other_share: float | None
    seen: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


def read(request: ReadRequest) -> ReadResult:
    """Bases merged over nodes and time, with what is known of their completeness."""
    monitors = list(Monitor.objects.filter(pk__in=request.monitor_ids))
    times = np.arange(request.start, request.end, request.step, dtype=np.int64)
    watched = watches(request.monitor_ids, request.node_ids)
    slices = _slices(request, monitors, request.step)
    ranked = _ranked(request, monitors) if request.needs_groups else _totals(request, watched)
    parts, owners = _cells(request, ranked, slices, len(times))
    n = len(ranked) * len(times)
    columns = merged(request.bases, parts, owners, n)
    present = np.zeros(n, dtype=bool)
    for owner in owners:
        present[owner] = True
    other, other_share = _rest(request, slices, times) if request.needs_groups else (None, None)
    shape = (len(ranked), len(times))
    hidden = np.zeros(shape, dtype=bool) if other is None else ~present.reshape(shape) & other
    return ReadResult(
        times,
        [group.keys for group in ranked],
        columns,
        folded(columns, np.repeat(np.arange(len(ranked)), len(times)), len(ranked)),
        *_completeness(request, ranked, watched, times),
        hidden,
        coverage.missing(watched, request.start, request.end),
        watched,
        max((piece.tier for pieces in slices.values() for piece in pieces), default=request.step),
        coverage.complete_until(watched),
        other_share,
        _seen(request.bases, parts, owners, len(ranked), len(times)),
    )


def _seen(
    bases: Sequence[str], parts: Sequence[Part], owners: Sequence[Ints], groups: int, width: int
) -> dict[str, NDArray[np.bool_]]:
    seen = {key: np.zeros(groups, dtype=bool) for key in bases}
    for part, owner in zip(parts, owners, strict=True):
        for key in bases:
            column = part.columns[key]
            found = len(column.pairs) > 0 if isinstance(column, Cells) else np.isfinite(column).any()
            if found and len(owner):
                seen[key][owner[0] // width] = True
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


def _ranked(request: ReadRequest, monitors: Sequence[Monitor]) -> list[Ranked]:
    whole = _slices(request, monitors, 0)
    ranked = rank(monitors, request.by, request.filter, whole, request.order, request.limit, request.node_ids)
    if "node" not in request.by:
        return ranked
    nodes = sorted({watch.node_id for watch in watches(request.monitor_ids, request.node_ids)})
    return [Ranked(group.keys | {"node": node}, group.members, group.rank) for group in ranked for node in nodes]


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
) -> tuple[list[Part], list[Ints]]:
    """Every part that belongs to a group, and the cells its samples fall into."""
    per_node = "node" in request.by
    row_of: dict[tuple[int, int, int], int] = {}
    for number, group in enumerate(ranked):
        for monitor_id, group_id in group.members:
            row_of[monitor_id, group_id, group.keys["node"] if per_node else 0] = number
    parts: list[Part] = []
    owners: list[Ints] = []
    for ids, pieces in slices.items():
        wanted = sorted({(monitor_id, group_id) for monitor_id, group_id, _ in row_of if monitor_id in ids})
        for piece in pieces:
            for part in fetch(piece, request.bases, wanted, request.node_ids, per_node):
                row = row_of.get((part.monitor_id, part.group_id, part.node_id))
                if row is not None:
                    parts.append(part)
                    owners.append(row * width + (part.times - request.start) // request.step)
    # In the order of the cells, so that merging histograms finds them sorted already.
    order = sorted(range(len(parts)), key=lambda number: int(owners[number][0]))
    return [parts[number] for number in order], [owners[number] for number in order]


def _rest(
    request: ReadRequest, slices: dict[tuple[int, ...], list[Slice]], times: Ints
) -> tuple[NDArray[np.bool_], float | None]:
    """Per bucket whether the nodes folded anything into `other`, and the share of all bytes that is in there."""
    present = np.zeros(len(times), dtype=bool)
    volume = {TOTAL_GROUP: 0.0, OTHER_GROUP: 0.0}
    for ids, pieces in slices.items():
        wanted = [(monitor_id, group_id) for monitor_id in ids for group_id in volume]
        for piece in pieces:
            for part in fetch(piece, VOLUME, wanted, request.node_ids):
                volume[part.group_id] += sum(float(np.nansum(part.columns[key])) for key in VOLUME)  # type: ignore[arg-type]
                if part.group_id == OTHER_GROUP:
                    present[(part.times - request.start) // request.step] = True
    total = volume[TOTAL_GROUP]
    return present, volume[OTHER_GROUP] / total if total else None


def _completeness(
    request: ReadRequest, ranked: Sequence[Ranked], watched: Sequence[Watch], times: Ints
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """(seconds, partial, blind) of every cell, from the nodes that each group is measured by."""
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
    return (seconds * request.step).ravel(), partial.ravel(), blind.ravel()


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
