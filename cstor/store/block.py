"""One closed second (or several put together) as questions walk over it: rows by number, columns in a handy order.

Dense columns stand sums first, then extremes; a minimum is kept as the maximum of its negative, and an extreme that was
not measured is the least integer. So adding rows up is adding and comparing, without asking what a column is. Cells and
bins of row i are those from `cell_at[i]` to `cell_at[i + 1]`.
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cstor.buckets.second import DENSE, ClosedSecond
from cstor.metrics.registry import BASES, SCALARS
from cstor.store.query import DEFAULT_RANKING, Ranking
from wire.packets.jit import kernel

Ints = NDArray[np.int64]

ABSENT = int(np.iinfo(np.int64).min)

_SUMS = [key for key in DENSE if BASES[key].kind == "sum"]
_EXTREMES = [key for key in DENSE if BASES[key].kind != "sum"]
COLUMNS: tuple[str, ...] = (*_SUMS, *_EXTREMES)  # of `dense` in a block
SUMS = len(_SUMS)
_SOURCE = np.array([DENSE.index(key) for key in COLUMNS], np.int64)
_SIGN = np.array([-1 if BASES[key].kind == "min" else 1 for key in COLUMNS], np.int64)
# The column whose being 0 says that an extreme was not measured: its own for a plain maximum, the count of a timing.
_WITNESS = np.array(
    [DENSE.index(f"{key[:-4]}_count") if f"{key[:-4]}_count" in DENSE else DENSE.index(key) for key in COLUMNS],
    np.int64,
)
# By number of the base in SCALARS: 0 a sum, 1 a maximum, -1 a minimum.
KIND = np.array([{"sum": 0, "max": 1, "min": -1}[base.kind] for base in SCALARS], np.int64)
_COLUMNS = len(COLUMNS)
_serials = count(1)
SCALAR_NUMBER = {base.key: number for number, base in enumerate(SCALARS)}


class Block(NamedTuple):
    """Rows of (conversation or group)."""

    serial: int  # never given twice: what partial results are remembered by
    t: int  # epoch second, the first one of several
    ids: np.ndarray  # i4[n], number of the conversation (or of the group, -1 for the folded rest)
    dense: np.ndarray  # i8[n, len(COLUMNS)]
    cell_at: np.ndarray  # i4[n + 1]
    cell_base: np.ndarray  # i2, number in SCALARS
    cell_value: np.ndarray  # i8; a minimum as its negative
    bin_at: np.ndarray  # i4[n + 1]
    bin_metric: np.ndarray  # i2, number in HISTOGRAMS
    bin: np.ndarray  # i2
    bin_count: np.ndarray  # i8
    ranked: np.ndarray  # i8[n, 3], what groups are ranked by unless a question says otherwise

    @property
    def rows(self) -> int:
        return len(self.ids)

    @property
    def bytes(self) -> int:
        return sum(column.nbytes for column in self[2:])


class Terms(NamedTuple):
    """Weighted sums that groups are ranked by."""

    columns: Ints  # [rankings, longest + 1], dense columns, -1 behind the last
    weights: Ints  # the same shape
    base_weights: Ints  # [rankings + 1, scalars] of cells; the last row is 1 where any ranking has the base


def terms_of(order: tuple[Ranking, ...]) -> Terms:
    """The rankings as kernels read them."""
    longest = max((len(ranking.terms) for ranking in order), default=0)
    columns = np.full((len(order), longest + 1), -1, np.int64)
    weights = np.zeros((len(order), longest + 1), np.int64)
    base_weights = np.zeros((len(order) + 1, len(SCALARS)), np.int64)
    for row, ranking in enumerate(order):
        at = 0
        for key, weight in ranking.terms:
            if key in COLUMNS:
                columns[row, at], weights[row, at] = COLUMNS.index(key), weight
                at += 1
            else:
                base_weights[row, SCALAR_NUMBER[key]] = weight
                base_weights[-1, SCALAR_NUMBER[key]] = 1
    return Terms(columns, weights, base_weights)


def new_serial() -> int:
    """A number for a block."""
    return next(_serials)


def block_of(second: ClosedSecond, ids: np.ndarray) -> Block:
    """A closed second whose rows have these numbers; nothing of it is kept."""
    dense = np.empty((len(ids), _COLUMNS), np.int64)
    order_columns(np.ascontiguousarray(second.dense), dense, _SOURCE, _SIGN, _WITNESS)
    cells, bins = _by_row(second.cells), _by_row(second.bins)
    values = cells["value"].copy()
    values[KIND[cells["base"]] < 0] *= -1
    return with_ranks(
        second.t,
        ids,
        dense,
        (starts(cells["row"], len(ids)), cells["base"].copy(), values),
        (starts(bins["row"], len(ids)), bins["metric"].copy(), bins["bin"].copy(), bins["n"].astype(np.int64)),
    )


def with_ranks(
    t: int, ids: np.ndarray, dense: np.ndarray, cells: tuple[np.ndarray, ...], bins: tuple[np.ndarray, ...]
) -> Block:
    """A block of these columns, with what its rows are ranked by."""
    ranked = np.zeros((len(ids), len(DEFAULT_RANKING)), np.int64)
    rank_rows(dense, *cells, DEFAULT_TERMS, ranked)
    cell_at, cell_base, cell_value = cells
    bin_at, bin_metric, bin, bin_count = bins
    return Block(
        new_serial(), t, ids, dense, cell_at, cell_base, cell_value, bin_at, bin_metric, bin, bin_count, ranked
    )


DEFAULT_TERMS = terms_of(DEFAULT_RANKING)


def _by_row(table: np.ndarray) -> np.ndarray:
    rows = table["row"]
    return table if (rows[1:] >= rows[:-1]).all() else table[np.argsort(rows, kind="stable")]


def starts(rows: np.ndarray, of: int) -> np.ndarray:
    """Where the entries of each of so many rows begin, among entries that are in the order of rows."""
    return np.searchsorted(rows, np.arange(of + 1)).astype(np.int32)


@kernel
def order_columns(dense, out, source, sign, witness):
    """Columns as a block has them."""
    for row in range(len(dense)):
        for column in range(len(source)):
            value = dense[row, source[column]]
            if column >= SUMS:
                value = value * sign[column] if dense[row, witness[column]] != 0 else ABSENT
            out[row, column] = value


@kernel
def rank_rows(dense, cell_at, cell_base, cell_value, terms, ranked):
    """What each row counts for in each ranking."""
    rankings = ranked.shape[1]
    for row in range(len(dense)):
        for ranking in range(rankings):
            at = 0
            while terms.columns[ranking, at] >= 0:
                ranked[row, ranking] += terms.weights[ranking, at] * dense[row, terms.columns[ranking, at]]
                at += 1
        for at in range(cell_at[row], cell_at[row + 1]):
            base = cell_base[at]
            if terms.base_weights[rankings, base] != 0:
                for ranking in range(rankings):
                    ranked[row, ranking] += terms.base_weights[ranking, base] * cell_value[at]
