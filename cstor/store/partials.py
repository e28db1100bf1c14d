"""Blocks added up by group, remembered: a closed second never changes, so neither does what a question makes of it.

A call over the last ten seconds, asked every second, adds up one second and merges ten small blocks. Where nearly every
row is a group of its own, the rows in question are kept side by side, and where that is most of them, nothing is kept:
they are walked each time. Least recently used go first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cstor.metrics.registry import HISTOGRAMS, SCALARS
from cstor.store.accumulate import (
    BINS,
    FOLDED,
    SLOT_BINS,
    Rows,
    Sums,
    Wanted,
    add_rows,
    count_entries,
    measure,
    new_sums,
    number_rows_of,
    put_together,
    select_rows,
)
from cstor.store.block import ABSENT, COLUMNS, KIND, SUMS, Block, new_serial, starts, with_ranks
from cstor.store.query import DEFAULT_RANKING

MAX_BYTES = 128 << 20
GAIN = 4  # a block is kept added up if it has so many times fewer rows then
FEW = 64  # or if only so many rows are in question
PICKED_SHARE = 2  # else they are kept side by side if at most half are in question
ENTRY_BYTES = 200  # of what is remembered beside the arrays

EVERYTHING = Wanted(
    np.arange(SUMS),
    np.arange(SUMS, len(COLUMNS)),
    np.ones(len(SCALARS), np.uint8),
    np.ones(len(HISTOGRAMS), np.uint8),
    True,
    True,
    True,
)
_EMPTY_CELL = np.where(KIND == 0, 0, ABSENT)


class Measured(NamedTuple):
    """A block that is not worth adding up beforehand: how many of its rows and bins are in question."""

    rows: int
    bins: int


class Partials:
    """What was added up, by block and question. Threads may share it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._lock = threading.Lock()
        self._held: OrderedDict[Any, Block | Measured] = OrderedDict()

    def get(self, key: Any) -> Block | Measured | None:
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Any, found: Block | Measured) -> None:
        with self._lock:
            if key not in self._held:
                self.bytes += _size(found)
                self._held[key] = found
            while self.bytes > self.max_bytes and len(self._held) > 1:
                self.bytes -= _size(self._held.popitem(last=False)[1])


def _size(found: Block | Measured) -> int:
    return ENTRY_BYTES + (found.bytes if isinstance(found, Block) else 0)


class Scratch:
    """Numbers of groups within one block: made once for a question, cleaned after each block."""

    def __init__(self, groups: int) -> None:
        self.number_of_group = np.full(groups, -1, np.int32)


def added_up(parts: Sequence[Rows], scratch: Scratch) -> Block | Measured:
    """A block's rows by group (`parts`: once, or once for either end): added up, or only picked out, or as they are."""
    block = parts[0].block
    order, out = np.empty(len(parts) * block.rows, np.int32), np.zeros(4, np.int64)
    for part in parts:
        measure(part, scratch.number_of_group, order, out)
    found, bins, cells, groups = out.tolist()
    try:
        if GAIN * groups <= found or found <= FEW:
            return folded(parts, scratch.number_of_group, order[:groups], bins)
        if PICKED_SHARE * found <= block.rows:
            return picked(parts, found, cells, bins)
        return Measured(found, bins)
    finally:
        scratch.number_of_group[order[:groups]] = -1


def picked(parts: Sequence[Rows], rows: int, cells: int, bins: int) -> Block:
    """The rows in question side by side, with their groups."""
    out = _room(parts[0].block.t, rows, cells, bins)
    at = 0
    for part in parts:
        at = select_rows(part, out, at)
    return out


def put_together_rows(t: int, blocks: Sequence[Block]) -> Block:
    """Blocks of several seconds as one, each conversation once."""
    conversations = max(int(block.ids.max(initial=-1)) for block in blocks) + 1
    place = np.full(conversations, -1, np.int32)
    number, rows = [], 0
    for block in blocks:
        number.append(np.empty(block.rows, np.int32))
        rows = number_rows_of(block.ids, place, number[-1], rows)
    out = _room(t, rows, sum(len(block.cell_base) for block in blocks), sum(len(block.bin) for block in blocks))
    for block, numbers in zip(blocks, number, strict=True):
        count_entries(block, numbers, out.cell_at, out.bin_at)
    np.cumsum(out.cell_at, out=out.cell_at)
    np.cumsum(out.bin_at, out=out.bin_at)
    cell_next, bin_next = out.cell_at.copy(), out.bin_at.copy()
    for block, numbers in zip(blocks, number, strict=True):
        put_together(block, numbers, out, cell_next, bin_next)
    return out


def _room(t: int, rows: int, cells: int, bins: int) -> Block:
    dense = np.zeros((rows, len(COLUMNS)), np.int64)
    dense[:, SUMS:] = ABSENT
    return Block(
        new_serial(),
        t,
        np.zeros(rows, np.int32),
        dense,
        np.zeros(rows + 1, np.int32),
        np.zeros(cells, np.int16),
        np.zeros(cells, np.int64),
        np.zeros(rows + 1, np.int32),
        np.zeros(bins, np.int16),
        np.zeros(bins, np.int16),
        np.zeros(bins, np.int64),
        np.zeros((rows, len(DEFAULT_RANKING)), np.int64),
    )


def folded(parts: Sequence[Rows], number_of_group: np.ndarray, order: np.ndarray, bins: int) -> Block:
    """Rows by group as one block; the rest of the rows (group -1) is its last row, if there are any."""
    groups = len(order)
    sums = new_sums(groups + 1, min(bins, (groups + 1) * SLOT_BINS))
    for part in parts:
        add_rows(part, EVERYTHING, number_of_group, 0, groups, sums)
    used = groups + int(sums.seen[groups])
    ids = np.append(order, np.int32(FOLDED))[:used].astype(np.int32)
    return _as_block(parts[0].block.t, ids, sums)


def _as_block(t: int, ids: np.ndarray, sums: Sums) -> Block:
    used = len(ids)
    cells = sums.cells[:used]
    row, base = np.nonzero(cells != _EMPTY_CELL)
    key, count = sorted_bins(sums)
    return with_ranks(
        t,
        ids,
        sums.dense[:used].copy(),
        (starts(row, used), base.astype(np.int16), cells[row, base]),
        (
            starts(key // SLOT_BINS, used),
            (key % SLOT_BINS // BINS).astype(np.int16),
            (key % BINS).astype(np.int16),
            count,
        ),
    )


def sorted_bins(sums: Sums) -> tuple[np.ndarray, np.ndarray]:
    """Keys and counts of all bins, by slot, histogram and bin."""
    at = np.flatnonzero(sums.bin_key >= 0)
    key = sums.bin_key[at]
    order = np.argsort(key)
    return key[order], sums.bin_count[at[order]]
