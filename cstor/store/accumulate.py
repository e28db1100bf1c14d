"""Kernels that add the rows of blocks up: into totals of groups that are ranked, and into rows of an answer.

A row's group comes from its conversation's number (`groups[ids[row]]`, where the filter's flag is set); the rows of a
block that was added up before bear their group's number themselves, which `is_grouped` says. Histogram bins go into an
open-addressing table keyed by (slot, histogram, bin): what comes out of many seconds is few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cstor.metrics.histogram import LAST_BIN
from cstor.metrics.registry import HISTOGRAMS, SCALARS
from cstor.store.block import ABSENT, COLUMNS, KIND, SUMS, Block
from wire.packets.jit import kernel

BINS = LAST_BIN + 1
SLOT_BINS = len(HISTOGRAMS) * BINS  # keys of one slot
FOLDED, SKIPPED = -1, -2  # in place of a group's slot: it is folded into the rest, it is left out
_DENSE = len(COLUMNS)
_SCALARS = len(SCALARS)
_EXTREME = np.array([kind != 0 for kind in KIND])
_HASH = 0x9E3779B1


class Rows(NamedTuple):
    """Which rows of a block, and of which group each is."""

    block: Block
    is_grouped: bool
    flags: np.ndarray  # u1 by conversation; unused where is_grouped
    groups: np.ndarray  # i4 by conversation; unused where is_grouped


class Sums(NamedTuple):
    """What rows are added into: a row per slot."""

    seen: np.ndarray  # u1[slots]
    dense: np.ndarray  # i8[slots, dense columns]
    cells: np.ndarray  # i8[slots, scalars]
    bin_key: np.ndarray  # i8, slot * SLOT_BINS + histogram * BINS + bin; -1 free
    bin_count: np.ndarray  # i8


def new_sums(slots: int, bins: int) -> Sums:
    """Room for so many slots, and for so many different bins."""
    dense = np.zeros((slots, _DENSE), np.int64)
    dense[:, SUMS:] = ABSENT
    cells = np.zeros((slots, _SCALARS), np.int64)
    cells[:, _EXTREME] = ABSENT
    room = 1 << max(4, (2 * bins).bit_length())
    return Sums(np.zeros(slots, np.uint8), dense, cells, np.full(room, -1, np.int64), np.zeros(room, np.int64))


class Wanted(NamedTuple):
    """Which bases to add up."""

    sums: np.ndarray  # i8, dense columns
    extremes: np.ndarray  # i8, dense columns
    cells: np.ndarray  # u1 by number in SCALARS
    histograms: np.ndarray  # u1 by number in HISTOGRAMS
    all_dense: bool
    any_cells: bool
    any_bins: bool


@kernel
def measure(rows, number_of_group, order, out):
    """Count rows that are in question, their bins, cells and different groups: these are numbered from 0 in `order`."""
    block = rows.block
    found, bins, cells, different = out[0], out[1], out[2], out[3]
    for row in range(len(block.ids)):
        conversation = block.ids[row]
        if rows.flags[conversation] == 0:
            continue
        found += 1
        bins += block.bin_at[row + 1] - block.bin_at[row]
        cells += block.cell_at[row + 1] - block.cell_at[row]
        group = rows.groups[conversation]
        if group >= 0 and number_of_group[group] < 0:
            number_of_group[group] = different
            order[different] = group
            different += 1
    out[0], out[1], out[2], out[3] = found, bins, cells, different


@kernel
def select_rows(rows, out, at):
    """Copy the rows in question into the columns of `out`, from row `at` on, with groups as ids; returns the next."""
    block = rows.block
    cell, bin = np.int64(out.cell_at[at]), np.int64(out.bin_at[at])
    for row in range(len(block.ids)):
        conversation = block.ids[row]
        if rows.flags[conversation] == 0:
            continue
        out.ids[at] = rows.groups[conversation]
        for column in range(_DENSE):
            out.dense[at, column] = block.dense[row, column]
        for ranking in range(out.ranked.shape[1]):
            out.ranked[at, ranking] = block.ranked[row, ranking]
        for source in range(block.cell_at[row], block.cell_at[row + 1]):
            out.cell_base[cell], out.cell_value[cell] = block.cell_base[source], block.cell_value[source]
            cell += 1
        for source in range(block.bin_at[row], block.bin_at[row + 1]):
            out.bin_metric[bin], out.bin[bin] = block.bin_metric[source], block.bin[source]
            out.bin_count[bin] = block.bin_count[source]
            bin += 1
        at += 1
        out.cell_at[at], out.bin_at[at] = cell, bin
    return at


@kernel
def number_rows_of(ids, place, number, rows):
    """The row that each id becomes, a new one for ids without a place yet; returns how many there are then."""
    for row in range(len(ids)):
        if place[ids[row]] < 0:
            place[ids[row]] = rows
            rows += 1
        number[row] = place[ids[row]]
    return rows


@kernel
def count_entries(block, number, cell_at, bin_at):
    """Add the cells and bins of each row to those of the row that it becomes: at its number + 1."""
    for row in range(len(block.ids)):
        to = number[row] + 1
        cell_at[to] += block.cell_at[row + 1] - block.cell_at[row]
        bin_at[to] += block.bin_at[row + 1] - block.bin_at[row]


@kernel
def put_together(block, number, out, cell_next, bin_next):
    """Add rows into those that they become; cells and bins are put side by side."""
    for row in range(len(block.ids)):
        to = number[row]
        out.ids[to] = block.ids[row]
        for column in range(SUMS):
            out.dense[to, column] += block.dense[row, column]
        for column in range(SUMS, _DENSE):
            out.dense[to, column] = max(out.dense[to, column], block.dense[row, column])
        for ranking in range(out.ranked.shape[1]):
            out.ranked[to, ranking] += block.ranked[row, ranking]
        for source in range(block.cell_at[row], block.cell_at[row + 1]):
            at = cell_next[to]
            out.cell_base[at], out.cell_value[at] = block.cell_base[source], block.cell_value[source]
            cell_next[to] = at + 1
        for source in range(block.bin_at[row], block.bin_at[row + 1]):
            at = bin_next[to]
            out.bin_metric[at], out.bin[at] = block.bin_metric[source], block.bin[source]
            out.bin_count[at] = block.bin_count[source]
            bin_next[to] = at + 1


@kernel
def rank(rows, values, ranked, seen):
    """Add what the rows count for (`values`, by row and ranking) to their groups."""
    block = rows.block
    rankings = ranked.shape[1]
    for row in range(len(block.ids)):
        group = np.int64(block.ids[row])
        if not rows.is_grouped:
            if rows.flags[group] == 0:
                continue
            group = np.int64(rows.groups[group])
        if group < 0:
            continue
        seen[group] = 1
        for ranking in range(rankings):
            ranked[group, ranking] += values[row, ranking]


@kernel
def add_rows(rows, wanted, slot_of_group, first_slot, other_slot, sums):
    """Add a block's rows into their slots; there must be room for all their bins."""
    block = rows.block
    for row in range(len(block.ids)):
        group = np.int64(block.ids[row])
        if not rows.is_grouped:
            if rows.flags[group] == 0:
                continue
            group = np.int64(rows.groups[group])
        slot = other_slot
        if group >= 0:
            slot = np.int64(slot_of_group[group])
            if slot == SKIPPED:
                continue
            if slot == FOLDED:
                slot = other_slot
        if slot < 0:
            continue
        slot += first_slot
        sums.seen[slot] = 1
        add_dense(block.dense, row, wanted, sums.dense, slot)
        if wanted.any_cells:
            for at in range(block.cell_at[row], block.cell_at[row + 1]):
                base = block.cell_base[at]
                if wanted.cells[base]:
                    value = block.cell_value[at]
                    if KIND[base] == 0:
                        sums.cells[slot, base] += value
                    elif value > sums.cells[slot, base]:
                        sums.cells[slot, base] = value
        if wanted.any_bins:
            for at in range(block.bin_at[row], block.bin_at[row + 1]):
                metric = np.int64(block.bin_metric[at])
                if wanted.histograms[metric]:
                    add_bin(sums, slot * SLOT_BINS + metric * BINS + block.bin[at], block.bin_count[at])


@kernel
def add_dense(dense, row, wanted, into, slot):
    """Add a row's dense columns; all of them in one go is what the compiler makes vectors of."""
    if wanted.all_dense:
        for column in range(SUMS):
            into[slot, column] += dense[row, column]
        for column in range(SUMS, _DENSE):
            into[slot, column] = max(into[slot, column], dense[row, column])
        return
    for at in range(len(wanted.sums)):
        column = wanted.sums[at]
        into[slot, column] += dense[row, column]
    for at in range(len(wanted.extremes)):
        column = wanted.extremes[at]
        into[slot, column] = max(into[slot, column], dense[row, column])


@kernel
def add_bin(sums, key, count):
    """Add to one bin of one slot."""
    mask = len(sums.bin_key) - 1
    at = (key * _HASH >> 15) & mask
    while sums.bin_key[at] >= 0 and sums.bin_key[at] != key:
        at = (at + 1) & mask
    sums.bin_key[at] = key
    sums.bin_count[at] += count


@kernel
def select_top(values, seen, heap):
    """The least of the len(heap) largest positive values of seen groups; 0 where there are no more than that."""
    size = 0
    for group in range(len(values)):
        value = values[group]
        if seen[group] == 0 or value <= 0:
            continue
        if size < len(heap):
            at = size
            size += 1
            while at > 0 and heap[(at - 1) >> 1] > value:
                heap[at] = heap[(at - 1) >> 1]
                at = (at - 1) >> 1
            heap[at] = value
        elif value > heap[0]:
            sift_down(heap, value)
    return heap[0] if size == len(heap) and size > 0 else np.int64(0)


@kernel
def sift_down(heap, value):
    """Replace the least of a heap."""
    at = 0
    while 2 * at + 1 < len(heap):
        child = 2 * at + 1
        if child + 1 < len(heap) and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value
