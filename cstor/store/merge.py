"""Partial answers of several sources, merged: sums are added, extremes compared, histogram bins added up.

A row is (bucket, group). Groups are numbered by the query; -1 is the folded rest. All of it is exact integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cstor.metrics.histogram import Cells, build
from cstor.metrics.registry import BASES
from cstor.store.grouping import Ints, group_rows

OTHER = -1
_REDUCE = {"sum": np.add, "min": np.minimum, "max": np.maximum}


class Totals(NamedTuple):
    """Groups of one source over the whole range: their keys, and what they are ranked by."""

    keys: Ints  # [groups, width]
    ranked: Ints  # [groups, rankings]


class Partial(NamedTuple):
    """Rows of one source. `bins` are (t, group, number of the histogram in the query, bin, n)."""

    t: Ints
    group: Ints
    scalars: dict[str, Ints]
    bins: Ints  # [pairs, 5]


class Merged(NamedTuple):
    """The rows of an answer: by bucket, then by group with the rest last."""

    t: Ints
    group: Ints
    scalars: dict[str, Ints]
    cells: dict[str, Cells]


def merge_totals(parts: Sequence[Totals], width: int, rankings: int) -> Totals:
    """Each group once."""
    keys = np.concatenate([part.keys for part in parts] or [np.zeros((0, width), np.int64)])
    ranked = np.concatenate([part.ranked for part in parts] or [np.zeros((0, rankings), np.int64)])
    groups = group_rows(keys)
    total = np.zeros((len(groups.first), rankings), np.int64)
    np.add.at(total, groups.number, ranked)
    return Totals(keys[groups.first], total)


class Kept(NamedTuple):
    """Groups that get rows of their own, and per ranking the largest total among the others."""

    keys: Ints
    floor: list[int]


def choose(totals: Totals, limit: int, keep: Ints) -> Kept:
    """The union of each ranking's top `limit` and of `keep`. Equal totals go by key, so that answers repeat."""
    count, width = totals.keys.shape
    chosen = np.zeros(count, np.bool_)
    for ranked in totals.ranked.T:
        order = np.lexsort((*totals.keys.T[::-1], -ranked))[:limit]
        chosen[order[ranked[order] > 0]] = True
    if len(keep) and width:
        both = group_rows(np.concatenate([totals.keys, keep]))
        chosen |= np.isin(both.number[:count], both.number[count:])
    folded = totals.ranked[~chosen]
    floor = folded.max(axis=0).tolist() if len(folded) else [0] * totals.ranked.shape[1]
    best = totals.ranked[chosen]
    order = np.lexsort((*totals.keys[chosen].T[::-1], *(-best.T[::-1]))) if len(best) else np.zeros(0, np.int64)
    return Kept(totals.keys[chosen][order], floor)


def merge(parts: Sequence[Partial], scalars: Sequence[str], histograms: Sequence[str]) -> Merged:
    """Every (bucket, group) once."""
    t = np.concatenate([part.t for part in parts] or [np.zeros(0, np.int64)])
    group = np.concatenate([part.group for part in parts] or [np.zeros(0, np.int64)])
    order = np.lexsort((_rest_last(group), t))
    t, group = t[order], group[order]
    starts = _starts(t, group)
    columns = {}
    for key in scalars:
        column = np.concatenate([part.scalars[key] for part in parts] or [np.zeros(0, np.int64)])[order]
        columns[key] = _REDUCE[BASES[key].kind].reduceat(column, starts) if len(starts) else column
    merged_t, merged_group = t[starts], group[starts]
    bins = np.concatenate([part.bins for part in parts] or [np.zeros((0, 5), np.int64)])
    return Merged(merged_t, merged_group, columns, _cells(merged_t, merged_group, bins, histograms))


def totals_of(merged: Merged, halved: bool) -> Merged:
    """One row per bucket over all groups. Where each conversation stands at both its ends, sums are halved."""
    starts = _starts(merged.t, np.zeros_like(merged.t))
    owner = np.searchsorted(merged.t[starts], merged.t)
    columns = {}
    for key, column in merged.scalars.items():
        kind = BASES[key].kind
        total = _REDUCE[kind].reduceat(column, starts) if len(starts) else column
        columns[key] = total // 2 if halved and kind == "sum" else total
    cells = {}
    for key, cell in merged.cells.items():
        total_cells = build(np.repeat(owner, cell.lengths), cell.bins, cell.counts, len(starts))
        if halved:
            total_cells = build(total_cells.owners, total_cells.bins, total_cells.counts, len(starts))
            total_cells = Cells(total_cells.lengths, _halved(total_cells))
        cells[key] = total_cells
    return Merged(merged.t[starts], np.full(len(starts), OTHER), columns, cells)


def _halved(cells: Cells) -> NDArray[np.uint32]:
    bins, counts = cells.bins, cells.counts
    return ((bins << 21) | (counts // 2)).astype("<u4")


def _rest_last(group: Ints) -> Ints:
    return np.where(group == OTHER, np.iinfo(np.int64).max, group)


def _starts(t: Ints, group: Ints) -> Ints:
    if not len(t):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.r_[True, (t[1:] != t[:-1]) | (group[1:] != group[:-1])])


def _cells(t: Ints, group: Ints, bins: Ints, histograms: Sequence[str]) -> dict[str, Cells]:
    """Bins find their row by (bucket, group); one of a row that is not there cannot be (series hold the counts)."""
    if not len(histograms):
        return {}
    rows = np.stack([t, group], axis=1)
    both = group_rows(np.concatenate([rows, bins[:, :2]]))
    row_of = np.full(len(both.first), -1, np.int64)
    row_of[both.number[: len(t)]] = np.arange(len(t))
    owner = row_of[both.number[len(t) :]]
    out = {}
    for number, key in enumerate(histograms):
        mine = (bins[:, 2] == number) & (owner >= 0)
        out[key] = build(owner[mine], bins[mine, 3], bins[mine, 4], len(t))
    return out
