"""Closing a second: the events of its rows are sorted, run-length coded and folded into cells and histogram bins.

A counting sort by row (rows are dense numbers), then an insertion sort within each row, whose events are few: linear in
events, where a sort over all of them took eight times as long.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cstor.buckets.arena import EVENT
from cstor.buckets.columns import (
    ACK_RTT,
    COLUMN_ACK_RTT,
    COLUMN_MIN_WINDOW,
    COLUMN_TRUNCATED,
    HISTOGRAM_OF_TIMING,
    MIN_WINDOW_BYTES,
    ORDER_OF_CODE,
    TIMING,
    TRUNCATED,
)
from cstor.buckets.second import BIN, CELL, DENSE, ClosedSecond, RawSecond
from cstor.metrics.histogram import LAST_BIN
from wire.packets.jit import kernel

_BINS = LAST_BIN + 1
_SHOWN = len(DENSE)
_EXTRA = 4  # events per row that stand for columns which are not handed out
_SLOW = 64  # events of a row beyond which insertion sort would be slow


class Work(NamedTuple):
    """Arrays in which a second is folded; used again for the next."""

    events: np.ndarray  # EVENT, the second's own and those of its work columns
    order: np.ndarray  # i8, events by row
    key: np.ndarray  # i8, what they are sorted by within a row
    offset: np.ndarray  # i8[rows + 1]
    cells: np.ndarray  # CELL
    bins: np.ndarray  # BIN
    sizes: np.ndarray  # i8: cells, bins


def new_work(rows: int, events: int) -> Work:
    """Room for a second with so many rows and events."""
    total = events + _EXTRA * rows
    return Work(
        np.zeros(total, EVENT),
        np.zeros(total, np.int64),
        np.zeros(total, np.int64),
        np.zeros(rows + 1, np.int64),
        np.zeros(4 * total, CELL),
        np.zeros(total, BIN),
        np.zeros(2, np.int64),
    )


class Closer:
    """Turns rows and events into ClosedSecond."""

    def __init__(self) -> None:
        self._rows, self._events = 1024, 4096
        self._work = new_work(self._rows, self._events)

    def fold(self, raw: RawSecond) -> ClosedSecond | None:
        """The second of a raw one, whose arrays are used up."""
        return self.close(*raw)

    def close(self, t: int, keys: np.ndarray, dense: np.ndarray, events: np.ndarray) -> ClosedSecond | None:
        """The second of these rows; None if nothing happened in it. Rows that saw nothing are left out.

        `dense` is changed; nothing of the arguments is kept.
        """
        if len(keys) > self._rows or len(events) > self._events:
            self._rows, self._events = max(len(keys), 2 * self._rows), max(len(events), 2 * self._events)
            self._work = new_work(self._rows, self._events)
        work = self._work
        total = sort_by_row(work, dense, events)
        used = np.diff(work.offset[: len(keys) + 1]) > 0
        used |= dense[:, 0] + dense[:, 1] > 0
        fold(work, dense, total)
        cells, bins = work.cells[: work.sizes[0]].copy(), work.bins[: work.sizes[1]].copy()
        if not used.all():
            number = np.cumsum(used) - 1
            cells["row"], bins["row"] = number[cells["row"]], number[bins["row"]]
            keys, dense = keys[used], dense[used]
        if len(keys) == 0:
            return None
        return ClosedSecond(t, keys.copy(), dense[:, :_SHOWN].copy(), cells, bins)


@kernel
def sort_by_row(work, dense, events):
    """Add the events of the work columns and sort all by row; returns how many there are."""
    total = len(events)
    rows = len(dense)
    work.offset[: rows + 1] = 0
    for at in range(total):
        work.events[at] = events[at]
        work.offset[events[at]["row"] + 1] += 1
    for row in range(rows):
        for number in range(_EXTRA):
            column, fact = COLUMN_TRUNCATED + number, TRUNCATED + number
            less = 0
            if number >= 2:
                column, fact, less = COLUMN_MIN_WINDOW + number - 2, MIN_WINDOW_BYTES + number - 2, 1
            if dense[row, column] != 0:
                event = work.events[total]
                event["row"] = row
                event["code"] = fact
                event["bin"] = 0
                event["value"] = dense[row, column] - less
                work.offset[row + 1] += 1
                total += 1
    for row in range(rows):
        work.offset[row + 1] += work.offset[row]
    for at in range(total - 1, -1, -1):
        row = work.events[at]["row"]
        work.offset[row + 1] -= 1
        work.order[work.offset[row + 1]] = at
    # offset[row + 1] is now where the row begins
    for row in range(rows):
        work.offset[row] = work.offset[row + 1]
    work.offset[rows] = total
    return total


@kernel
def fold(work, dense, total):
    """Sort each row's events and write its cells and bins."""
    work.sizes[0] = 0
    work.sizes[1] = 0
    for at in range(total):
        event = work.events[work.order[at]]
        work.key[at] = ORDER_OF_CODE[event["code"]] * _BINS + event["bin"]
    for row in range(len(dense)):
        begin, end = work.offset[row], work.offset[row + 1]
        sort_events(work.key, work.order, begin, end)
        while begin < end:
            begin = fold_run(work, dense, row, begin, end)


@kernel
def sort_events(key, order, begin, end):
    """Shell sort by key with the events' numbers along; for few events it is an insertion sort."""
    step = 1
    while end - begin > _SLOW and step < (end - begin) // 9:
        step = 3 * step + 1
    while step > 0:
        for at in range(begin + step, end):
            this_key, this_order = key[at], order[at]
            to = at
            while to - step >= begin and key[to - step] > this_key:
                key[to] = key[to - step]
                order[to] = order[to - step]
                to -= step
            key[to] = this_key
            order[to] = this_order
        step //= 3


@kernel
def fold_run(work, dense, row, begin, end):
    """One base of a row; returns where the next one begins."""
    code = work.events[work.order[begin]]["code"]
    base = ORDER_OF_CODE[code]
    low = high = work.events[work.order[begin]]["value"]
    total = 0
    at = begin
    while at < end and work.key[at] // _BINS == base:
        value = work.events[work.order[at]]["value"]
        total += value
        low = min(low, value)
        high = max(high, value)
        at += 1
    if code < TIMING:
        put_cell(work, row, base, total)
        return at
    fold_bins(work, row, code - TIMING, begin, at)
    if code - TIMING == ACK_RTT or code - TIMING == ACK_RTT + 1:
        column = COLUMN_ACK_RTT + 4 * (code - TIMING - ACK_RTT)
        dense[row, column] = at - begin
        dense[row, column + 1] = total
        dense[row, column + 2] = low
        dense[row, column + 3] = high
    else:
        put_cell(work, row, base, at - begin)
        put_cell(work, row, base + 1, total)
        put_cell(work, row, base + 2, low)
        put_cell(work, row, base + 3, high)
    return at


@kernel
def put_cell(work, row, base, value):
    """Append a cell."""
    cell = work.cells[work.sizes[0]]
    cell["row"] = row
    cell["base"] = base
    cell["value"] = value
    work.sizes[0] += 1


@kernel
def fold_bins(work, row, timing, begin, end):
    """The histogram of one timing of a row."""
    while begin < end:
        key = work.key[begin]
        at = begin
        while at < end and work.key[at] == key:
            at += 1
        bin = work.bins[work.sizes[1]]
        bin["row"] = row
        bin["metric"] = HISTOGRAM_OF_TIMING[timing]
        bin["bin"] = key % _BINS
        bin["n"] = at - begin
        work.sizes[1] += 1
        begin = at
