"""Partial answers of several sources, merged: sums are added, extremes compared, histogram bins added up.

A row is (bucket, group). Groups are numbered by the query; -1 is the folded rest. All of it is exact integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cstor.metrics.histogram import Cells, build
from cstor.metrics.registry import KINDS
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
    numbers: Ints | None = None  # of the groups, where who chose them numbers groups


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
    bins = np.concatenate([part.bins for part in parts] or [np.zeros((0, 5), np.int64)])
    codes = _Codes(t, np.concatenate([group, bins[:, 1]]))
    code = codes.of(t, group)
    order = codes.order(code)
    starts = _starts(code[order])
    columns = {}
    for key in scalars:
        column = np.concatenate([part.scalars[key] for part in parts] or [np.zeros(0, np.int64)])[order]
        columns[key] = _REDUCE[KINDS[key]].reduceat(column, starts) if len(starts) else column
    first = order[starts]
    return Merged(t[first], group[first], columns, _cells(codes, code[first], bins, histograms))


class _Codes:
    """(bucket, group) as one number: by bucket, then by group with the rest last."""

    def __init__(self, t: Ints, group: Ints) -> None:
        self._first = int(t.min()) if len(t) else 0
        self._rest = int(group.max(initial=0)) + 1

    def of(self, t: Ints, group: Ints) -> Ints:
        return (t - self._first) * (self._rest + 1) + np.where(group == OTHER, self._rest, group)

    @staticmethod
    def order(code: Ints) -> Ints:
        """A stable order; numbers of 16 bits are sorted by radix, ten times faster."""
        is_small = len(code) and code.max() < 1 << 16
        return np.argsort(code.astype(np.uint16) if is_small else code, kind="stable")


def totals_of(merged: Merged, halved: bool) -> Merged:
    """One row per bucket over all groups. Where each conversation stands at both its ends, sums are halved."""
    starts = _starts(merged.t)
    owner = np.searchsorted(merged.t[starts], merged.t)
    columns = {}
    for key, column in merged.scalars.items():
        kind = KINDS[key]
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


def _starts(sorted_numbers: Ints) -> Ints:
    """Where each run of equal numbers begins."""
    if not len(sorted_numbers):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.r_[True, sorted_numbers[1:] != sorted_numbers[:-1]])


def _cells(codes: _Codes, row_codes: Ints, bins: Ints, histograms: Sequence[str]) -> dict[str, Cells]:
    """Bins find their row by its code; there is one for each, since series hold the counts."""
    count = len(row_codes)
    if not count:
        return {key: build(*(np.zeros(0, np.int64),) * 3, 0) for key in histograms}
    code = codes.of(bins[:, 0], bins[:, 1])
    owner = np.searchsorted(row_codes, code).clip(max=count - 1)
    is_there = row_codes[owner] == code
    out = {}
    for number, key in enumerate(histograms):
        mine = is_there & (bins[:, 2] == number)
        out[key] = build(owner[mine], bins[mine, 3], bins[mine, 4], count)
    return out
