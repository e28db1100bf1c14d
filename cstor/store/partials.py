"""Blocks added up by group, remembered: a closed second never changes, so neither does what a question makes of it.

A call over the last ten seconds, asked every second, adds up one second and merges ten small blocks. What would not get
smaller (nearly every row a group of its own) is not kept: its rows are walked each time. Least recently used go first.
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
    measure,
    new_sums,
)
from cstor.store.block import ABSENT, COLUMNS, KIND, SUMS, Block, new_serial, starts

MAX_BYTES = 128 << 20
GAIN = 4  # a block is kept added up if it has so many times fewer rows
SMALL_SHARE = 20  # or if only every so-manieth row is in question
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
    """A block's rows by group (`parts`: once, or once for either end), or how many there are if that gains nothing."""
    block = parts[0].block
    order, out = np.empty(len(parts) * block.rows, np.int32), np.zeros(3, np.int64)
    for part in parts:
        measure(part, scratch.number_of_group, order, out)
    found, bins, groups = out.tolist()
    try:
        if GAIN * groups > found and SMALL_SHARE * found > block.rows:
            return Measured(found, bins)
        return folded(parts, scratch.number_of_group, order[:groups], bins)
    finally:
        scratch.number_of_group[order[:groups]] = -1


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
    return Block(
        new_serial(),
        t,
        ids,
        sums.dense[:used].copy(),
        starts(row, used),
        base.astype(np.int16),
        cells[row, base],
        starts(key // SLOT_BINS, used),
        (key % SLOT_BINS // BINS).astype(np.int16),
        (key % BINS).astype(np.int16),
        count,
    )


def sorted_bins(sums: Sums) -> tuple[np.ndarray, np.ndarray]:
    """Keys and counts of all bins, by slot, histogram and bin."""
    at = np.flatnonzero(sums.bin_key >= 0)
    key = sums.bin_key[at]
    order = np.argsort(key)
    return key[order], sums.bin_count[at[order]]
