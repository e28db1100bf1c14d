"""Many closed seconds as columns, for the files: each base's rows and values side by side, without empty cells.

What queries walk over is rows.py; here nothing is spread out over all rows, since most bases have few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cstor.buckets.second import DENSE, ClosedSecond
from cstor.metrics.registry import BASES, HISTOGRAMS, SCALARS
from cstor.store.grouping import Ints
from cstor.store.parquet_encode import number_rows
from wire.packets.jit import kernel


class Sparse(NamedTuple):
    """One base: its rows, ascending, and the value of each."""

    where: np.ndarray
    values: np.ndarray


class Bins(NamedTuple):
    """Rows of latency/: i8[n] each."""

    row: np.ndarray
    metric: np.ndarray
    bin: np.ndarray
    n: np.ndarray


class Seconds:
    """Seconds in the order of time."""

    def __init__(self, seconds: Sequence[ClosedSecond]) -> None:
        counts = np.array([len(second.keys) for second in seconds], np.int64)
        self._seconds = seconds
        self._first = np.cumsum(counts) - counts
        self._dense = np.concatenate([second.dense for second in seconds])
        self.t = np.repeat(np.array([second.t for second in seconds], np.int64), counts)
        self.keys = np.concatenate([second.keys for second in seconds])

    def __len__(self) -> int:
        return len(self.t)

    def scalars(self) -> dict[str, Sparse]:
        """Bases that any row has, in the registry's order."""
        found = self._cells() | self._columns()
        return {base.key: found[base.key] for base in SCALARS if base.key in found}

    def _columns(self) -> dict[str, Sparse]:
        """A dense extreme of a timing counts only where there were samples; 0 is absent in all others."""
        found = {}
        columns = np.ascontiguousarray(self._dense.T)
        for number, key in enumerate(DENSE):
            column = columns[number]
            count = f"{key[:-4]}_count"
            has = columns[DENSE.index(count)] if BASES[key].kind != "sum" and count in DENSE else column
            where = np.flatnonzero(has)
            if len(where):
                found[key] = Sparse(where, column if len(where) == len(column) else column[where])
        return found

    def _cells(self) -> dict[str, Sparse]:
        counts = np.zeros(len(SCALARS) + 1, np.int64)
        for second in self._seconds:
            counts[1:] += np.bincount(second.cells["base"], minlength=len(SCALARS))
        starts = np.cumsum(counts)
        where, values = np.empty((2, starts[-1]), np.int64)
        following = starts[:-1].copy()
        for second, first in zip(self._seconds, self._first.tolist(), strict=True):
            spread(second.cells, np.int64(first), following, where, values)
        found = {}
        for base, start, stop in zip(SCALARS, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            column = Sparse(where[start:stop], values[start:stop])
            if base.kind == "sum" and not column.values.all():
                column = Sparse(*(part[column.values != 0] for part in column))  # a sum of 0 is left out
            if len(column.where):
                found[base.key] = column
        return found

    def bins(self) -> Bins:
        """Histogram bins by second, then by timing, then by row."""
        total = sum(len(second.bins) for second in self._seconds)
        bins = Bins(*np.empty((4, total), np.int64))
        begin, following = 0, np.zeros(len(HISTOGRAMS), np.int64)
        for second, first in zip(self._seconds, self._first.tolist(), strict=True):
            part = Bins(*(column[begin : begin + len(second.bins)] for column in bins))
            spread_bins(second.bins, np.int64(first), following, part)
            begin += len(second.bins)
        return bins


@kernel
def spread(cells, first, following, where, values):
    """Put each cell behind those of its base; rows of the second begin at `first`."""
    for index in range(len(cells)):
        cell = cells[index]
        at = following[cell["base"]]
        where[at] = first + cell["row"]
        values[at] = cell["value"]
        following[cell["base"]] = at + 1


@kernel
def spread_bins(bins, first, following, out):
    """Sort a second's bins by timing: counted, then each put behind those of its timing."""
    for metric in range(len(following)):
        following[metric] = 0
    for index in range(len(bins)):
        following[bins[index]["metric"]] += 1
    begin = 0
    for metric in range(len(following)):
        begin += following[metric]
        following[metric] = begin - following[metric]
    for index in range(len(bins)):
        entry = bins[index]
        at = following[entry["metric"]]
        out.row[at] = first + entry["row"]
        out.metric[at] = entry["metric"]
        out.bin[at] = entry["bin"]
        out.n[at] = entry["n"]
        following[entry["metric"]] = at + 1


def number_addresses(rows: np.ndarray, side: str) -> tuple[Ints, Ints]:
    """The addresses of one side of conversations or sessions: a number per row, and the address of each number."""
    ends = np.stack([rows[f"{side}_hi"], rows[f"{side}_lo"]], axis=1)
    number, first = number_equal(ends)
    return number, ends[first]


def number_equal(matrix: Ints) -> tuple[Ints, Ints]:
    """A number per row, the same for equal rows, and one row of each number."""
    n = len(matrix)
    table = np.full(1 << (2 * n + 1).bit_length(), -1, np.int32)
    number, first = np.empty(n, np.int64), np.empty(n, np.int64)
    return number, first[: number_rows(matrix, table, number, first)]
