"""The one histogram codec of node and console: log bins of 1 % relative error, packed, merged and read as quantiles.

Bins follow DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch", VLDB 2019) with a first
bin of all up to 1 microsecond. A cell (the histogram of one group and bucket) is a run of little-endian uint32 pairs
`bin << 21 | n`; a larger n repeats the pair. Concatenating cells merges them, which is why SQL can roll them up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GROWTH = 1.01 / 0.99
LOG_GROWTH = math.log(GROWTH)
LAST_BIN = 1100
FIRST_BIN_NS = 1000
COUNT_BITS = 21
COUNT_MAX = (1 << COUNT_BITS) - 1
PAIR = np.dtype("<u4")
DENSE_FROM = 8  # bins to look at for each pair: counting them all is quicker than sorting the pairs
CACHED_PAIRS = 1 << 15

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def bin_of(duration_ns: NDArray[np.integer] | int) -> Ints:
    """Bins of durations in nanoseconds."""
    micro = np.maximum(np.asarray(duration_ns, dtype=np.float64), FIRST_BIN_NS) / FIRST_BIN_NS
    return np.clip(np.ceil(np.log(micro) / LOG_GROWTH), 0, LAST_BIN).astype(np.int64)


def value_of(bins: NDArray[np.integer] | int) -> Floats:
    """Seconds that each bin stands for: within 1 % of everything that fell into it."""
    return 2e-6 * GROWTH ** np.asarray(bins, dtype=np.float64) / (GROWTH + 1)


class Cells(NamedTuple):
    """Many histograms: `lengths[i]` pairs of cell i, all cells' `pairs` (uint32) one after the other."""

    lengths: Ints
    pairs: NDArray[np.uint32]

    @property
    def bins(self) -> Ints:
        return (self.pairs >> COUNT_BITS).astype(np.int64)

    @property
    def counts(self) -> Ints:
        return (self.pairs & COUNT_MAX).astype(np.int64)

    @property
    def owners(self) -> Ints:
        """Cell number of each pair."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)


def empty(n: int) -> Cells:
    return Cells(np.zeros(n, dtype=np.int64), np.zeros(0, dtype=PAIR))


def build(owners: Ints, bins: Ints, counts: Ints, n: int) -> Cells:
    """Cells 0..n-1 out of (cell, bin, count) triples in any order; equal bins of a cell are added up."""
    if len(owners) == 0:
        return empty(n)
    low = int(bins.min())
    span = int(bins.max()) - low + 1
    key = owners * span + (bins - low)
    # Cells that were stored compact come back in order: most merges over time have nothing to sort or add. Where most
    # bins occur they are counted, which needs no sorting either.
    if n * span < DENSE_FROM * len(key):
        dense = np.bincount(key, weights=counts)
        key = np.flatnonzero(dense)
        counts = dense[key].astype(np.int64)
    elif not (key[1:] > key[:-1]).all():
        key, counts = _sorted(key, counts)
        starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        key, counts = key[starts], np.add.reduceat(counts, starts)
    if counts.max() > COUNT_MAX:
        key, counts = _split_large(key, counts)
    owners = key // span
    pairs = ((key - owners * span + low) << COUNT_BITS | counts).astype(PAIR)
    return Cells(np.bincount(owners, minlength=n).astype(np.int64), pairs)


def _sorted(key: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Both by key. In one word where they fit: sorting numbers is several times as quick as finding their order."""
    if counts.max() <= COUNT_MAX and key.max() < 1 << (63 - COUNT_BITS):
        words = np.sort(key << COUNT_BITS | counts)
        return words >> COUNT_BITS, words & COUNT_MAX
    order = np.argsort(key, kind="stable")
    return key[order], counts[order]


def _split_large(key: Ints, counts: Ints) -> tuple[Ints, Ints]:
    repeats = -(-counts // COUNT_MAX)
    key, total = np.repeat(key, repeats), np.repeat(counts, repeats)
    nth = np.arange(len(key)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return key, np.minimum(total - nth * COUNT_MAX, COUNT_MAX)


def merge(cells: Cells, groups: Ints, n: int) -> Cells:
    """Cells of `n` groups: cell i goes into group `groups[i]`."""
    shared = np.bincount(groups[cells.lengths > 0], minlength=n) > 1
    if (groups[1:] >= groups[:-1]).all() and shared.sum() * 2 < n:
        return _merge_shared(compact(cells), groups, shared)
    return _merge_all(cells, groups, n)


def _merge_all(cells: Cells, groups: Ints, n: int) -> Cells:
    return build(np.repeat(groups, cells.lengths), cells.bins, cells.counts, n)


def _merge_shared(cells: Cells, groups: Ints, shared: NDArray[np.bool_]) -> Cells:
    """Compact cells in the order of their groups: only groups that share theirs cost anything."""
    n, many = len(shared), shared[groups]
    lengths = np.bincount(groups[~many], weights=cells.lengths[~many], minlength=n).astype(np.int64)
    if not many.any():
        return Cells(lengths, cells.pairs)
    taken = np.repeat(many, cells.lengths)
    joined = _merge_all(Cells(cells.lengths[many], cells.pairs[taken]), groups[many], n)
    lengths += joined.lengths
    pairs, where = np.empty(lengths.sum(), dtype=PAIR), np.repeat(shared, lengths)
    pairs[where], pairs[~where] = joined.pairs, cells.pairs[~taken]
    return Cells(lengths, pairs)


def compact(cells: Cells) -> Cells:
    """The same cells with each bin once, ascending: what concatenation left behind is added up."""
    if _is_compact(cells):
        return cells
    stops, parts, first, start = np.cumsum(cells.lengths), [], 0, 0
    while first < len(stops):  # so many cells at once as stay in the cache
        last = max(first + 1, int(np.searchsorted(stops, start + CACHED_PAIRS, side="right")))
        stop = int(stops[last - 1])
        part = Cells(cells.lengths[first:last], cells.pairs[start:stop])
        parts.append(_merge_all(part, np.arange(last - first), last - first))
        first, start = last, stop
    return Cells(np.concatenate([part.lengths for part in parts]), np.concatenate([part.pairs for part in parts]))


def _is_compact(cells: Cells) -> bool:
    if len(cells.pairs) == 0:
        return True
    bins = cells.pairs >> COUNT_BITS
    rises = np.ones(len(bins) + 1, dtype=bool)
    rises[1:-1] = bins[1:] > bins[:-1]
    rises[np.cumsum(cells.lengths)] = True  # where a cell ends the next may begin anywhere
    return bool(rises.all())


def quantiles(cells: Cells, fractions: Sequence[float]) -> Floats:
    """Seconds, shape (cells, fractions); NaN for an empty cell. Value of rank floor(q (n - 1)), as DDSketch."""
    out = np.full((len(cells.lengths), len(fractions)), np.nan)
    cells = compact(cells)
    filled = np.flatnonzero(cells.lengths)
    if len(filled) == 0:
        return out
    running = np.cumsum(cells.counts)
    ends = np.cumsum(cells.lengths)[filled] - 1
    before = np.r_[0, running[ends][:-1]]
    total = running[ends] - before
    for column, fraction in enumerate(fractions):
        rank = np.floor(fraction * (total - 1)).astype(np.int64)
        found = np.searchsorted(running, before + rank, side="right")
        out[filled, column] = value_of((cells.pairs[found] >> COUNT_BITS).astype(np.int64))
    return out


def pack(bins: Iterable[int] | Ints, counts: Iterable[int] | Ints) -> bytes:
    """One cell as bytes: what the samples table stores."""
    bin_array, count_array = np.asarray(list(bins), dtype=np.int64), np.asarray(list(counts), dtype=np.int64)
    return build(np.zeros(len(bin_array), dtype=np.int64), bin_array, count_array, 1).pairs.tobytes()


def unpack(cell: bytes) -> tuple[Ints, Ints]:
    """(bins, counts) of one cell, as stored."""
    cells = from_bytes([cell])
    return cells.bins, cells.counts


def from_bytes(cells: Sequence[bytes | memoryview | None]) -> Cells:
    """Cells as a database returns them; None is an empty cell."""
    blobs = [b"" if cell is None else bytes(cell) for cell in cells]
    lengths = np.array([len(blob) // PAIR.itemsize for blob in blobs], dtype=np.int64)
    return Cells(lengths, np.frombuffer(b"".join(blobs), dtype=PAIR))


def to_bytes(cells: Cells) -> list[bytes]:
    """One bytes object per cell; empty cells are empty."""
    raw, stops = cells.pairs.astype(PAIR).tobytes(), np.cumsum(cells.lengths) * PAIR.itemsize
    return [raw[start:stop] for start, stop in zip([0, *stops.tolist()], stops.tolist(), strict=False)]


def to_flat(cells: Cells) -> list[list[int]]:
    """Each cell as the API's flat list [bin, n, bin, n, ...]."""
    flat = np.stack([cells.bins, cells.counts], axis=1).ravel().tolist()
    stops = (np.cumsum(cells.lengths) * 2).tolist()
    return [flat[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]


def from_flat(cells: Sequence[Sequence[int] | None]) -> Cells:
    """Cells out of the API's flat lists."""
    rows = [np.asarray(cell or (), dtype=np.int64).reshape(-1, 2) for cell in cells]
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    joined = np.concatenate(rows) if rows else np.zeros((0, 2), dtype=np.int64)
    return build(np.repeat(np.arange(len(rows)), lengths), joined[:, 0], joined[:, 1], len(rows))
