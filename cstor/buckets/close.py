"""Closing a second: the events of its rows are sorted, run-length coded and folded into cells and histogram bins.

A counting sort by row (rows are dense numbers), then an insertion sort within each row, whose events are few: linear in
events, where a sort over all of them took eight times as long.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cstor.buckets.arena import read_event
from cstor.buckets.columns import (
    COLUMN_MIN_WINDOW,
    COLUMN_OF_SHOWN,
    COLUMN_PACKETS,
    COLUMN_TRUNCATED,
    HISTOGRAM_OF_BASE,
    MIN_WINDOW_BYTES,
    ORDER_OF_CODE,
    SHOWN_OF_BASE,
    TIMING,
    TRUNCATED,
)
from cstor.buckets.second import BIN, CELL, CONVERSATION, DENSE, ClosedSecond, RawSecond
from cstor.flows.ledger import bin_of
from cstor.flows.memory import copied
from cstor.metrics.histogram import LAST_BIN
from wire.packets.jit import inline, kernel, part

_BINS = LAST_BIN + 1
_SHOWN = len(DENSE)
_EXTRA = 4  # columns of a row that are handed out as cells
_SLOW = 64  # events of a row beyond which insertion sort would be slow
_PARTS = 4  # cells of a timing: count, sum, min, max


class Work(NamedTuple):
    """Arrays in which a second is folded; used again for the next."""

    key: np.ndarray  # i8, base x bins + bin of each event, by row
    value: np.ndarray  # i8
    offset: np.ndarray  # i8[rows + 1], where the events of each row end
    cells: np.ndarray  # CELL
    bins: np.ndarray  # BIN
    sizes: np.ndarray  # i8: rows, cells, bins


def new_work(rows: int, events: int) -> Work:
    """Room for a second with so many rows and events."""
    total = events + _EXTRA * rows
    return Work(
        np.zeros(total, np.int64),
        np.zeros(total, np.int64),
        np.zeros(rows + 1, np.int64),
        np.zeros(_PARTS * total, CELL),
        np.zeros(total, BIN),
        np.zeros(3, np.int64),
    )


class Closer:
    """Turns rows and events into ClosedSecond."""

    def __init__(self) -> None:
        self._rows, self._events = 1024, 4096
        self._work = new_work(self._rows, self._events)

    def fold(self, raw: RawSecond) -> ClosedSecond | None:
        """The second of a raw one."""
        return self.close(*raw)

    def close(self, t: int, keys: np.ndarray, dense: np.ndarray, events: np.ndarray) -> ClosedSecond | None:
        """The second of these rows; None if nothing happened in it. Rows that saw nothing are left out.

        Nothing of the arguments is changed or kept.
        """
        if len(keys) > self._rows or len(events) > self._events:
            self._rows, self._events = max(len(keys), 2 * self._rows), max(len(events), 2 * self._events)
            self._work = new_work(self._rows, self._events)
        work = self._work
        shown_keys, shown = np.empty(len(keys), CONVERSATION), np.empty((len(keys), _SHOWN), np.int64)
        sort_by_row(work, dense, events)
        fold(work, keys, dense, shown_keys, shown)
        rows, cells, bins = work.sizes.tolist()
        if rows == 0:
            return None
        return ClosedSecond(t, shown_keys[:rows], shown[:rows], copied(work.cells[:cells]), copied(work.bins[:bins]))


@inline
def extra(dense, row, number):
    """(fact, value) of one of the columns that are handed out as cells, (-1, 0) where it is absent."""
    if number < 2:
        value = dense[row, COLUMN_TRUNCATED + number]
        return (TRUNCATED + number, value) if value != 0 else (np.int64(-1), value)
    value = dense[row, COLUMN_MIN_WINDOW + number - 2]
    return (MIN_WINDOW_BYTES + number - 2, value - 1) if value != 0 else (np.int64(-1), value)


@kernel
def sort_by_row(work, dense, events):
    """Sort the events by row, those of the extra columns with them."""
    rows = len(dense)
    for row in range(rows + 1):
        work.offset[row] = 0
    at = 0
    while at < len(events):
        _, row, _, at = read_event(events, at)
        work.offset[row + 1] += 1
    for row in range(rows):
        for number in range(_EXTRA):
            fact, _ = extra(dense, row, number)
            work.offset[row + 1] += fact >= 0
    for row in range(rows):
        work.offset[row + 1] += work.offset[row]
    # From here offset[row] tells where the next event of the row goes: in the end, where the row's events end.
    for row in range(rows):
        for number in range(_EXTRA):
            fact, value = extra(dense, row, number)
            if fact >= 0:
                to = work.offset[row]
                work.offset[row] = to + 1
                work.key[to] = ORDER_OF_CODE[fact] * _BINS
                work.value[to] = value
    at = 0
    while at < len(events):
        code, row, value, at = read_event(events, at)
        to = work.offset[row]
        work.offset[row] = to + 1
        bin = bin_of(value) if code >= TIMING else 0
        work.key[to] = ORDER_OF_CODE[code] * _BINS + bin
        work.value[to] = value


@kernel
def fold(work, keys, dense, shown_keys, shown):
    """Write the rows that saw something, their cells and their bins."""
    for number in range(len(work.sizes)):
        work.sizes[number] = 0
    begin = 0
    for row in range(len(dense)):
        end = work.offset[row]
        if end > begin or dense[row, COLUMN_PACKETS] + dense[row, COLUMN_PACKETS + 1] > 0:
            to = work.sizes[0]
            work.sizes[0] += 1
            shown_keys[to] = keys[row]
            for column in range(_SHOWN):
                source = COLUMN_OF_SHOWN[column]
                shown[to, column] = dense[row, source] if source >= 0 else 0
            sort_events(work.key, work.value, begin, end)
            while begin < end:
                begin = fold_run(work, shown, to, begin, end)


@part
def sort_events(key, value, begin, end):
    """Shell sort by key with the values along; for few events it is an insertion sort."""
    step = 1
    while end - begin > _SLOW and step < (end - begin) // 9:
        step = 3 * step + 1
    while step > 0:
        for at in range(begin + step, end):
            this_key, this_value = key[at], value[at]
            to = at
            while to - step >= begin and key[to - step] > this_key:
                key[to] = key[to - step]
                value[to] = value[to - step]
                to -= step
            key[to] = this_key
            value[to] = this_value
        step //= 3


@part
def fold_run(work, shown, row, begin, end):
    """One base of a row; returns where the next one begins."""
    base = work.key[begin] // _BINS
    low = high = work.value[begin]
    total = 0
    at = begin
    while at < end and work.key[at] < (base + 1) * _BINS:
        value = work.value[at]
        total += value
        low = min(low, value)
        high = max(high, value)
        at += 1
    if HISTOGRAM_OF_BASE[base] < 0:
        put_cell(work, row, base, total)
        return at
    fold_bins(work, row, HISTOGRAM_OF_BASE[base], begin, at)
    column = SHOWN_OF_BASE[base]
    if column >= 0:
        shown[row, column] = at - begin
        shown[row, column + 1] = total
        shown[row, column + 2] = low
        shown[row, column + 3] = high
    else:
        put_cell(work, row, base, at - begin)
        put_cell(work, row, base + 1, total)
        put_cell(work, row, base + 2, low)
        put_cell(work, row, base + 3, high)
    return at


@inline
def put_cell(work, row, base, value):
    """Append a cell."""
    cell = work.cells[work.sizes[1]]
    cell["row"] = row
    cell["base"] = base
    cell["value"] = value
    work.sizes[1] += 1


@inline
def fold_bins(work, row, histogram, begin, end):
    """The histogram of one timing of a row."""
    while begin < end:
        key = work.key[begin]
        at = begin
        while at < end and work.key[at] == key:
            at += 1
        bin = work.bins[work.sizes[2]]
        bin["row"] = row
        bin["metric"] = histogram
        bin["bin"] = key % _BINS
        bin["n"] = at - begin
        work.sizes[2] += 1
        begin = at
