"""Series from seconds in memory: filters and groups by the numbers of conversations, sums by kernels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cstor.metrics.histogram import COUNT_BITS, COUNT_MAX, PAIR, Cells, build, empty
from cstor.metrics.registry import HISTOGRAMS, KINDS, SCALARS
from cstor.store.accumulate import BINS, FOLDED, SKIPPED, SLOT_BINS, Rows, Wanted, add_rows, new_sums, rank
from cstor.store.block import ABSENT, COLUMNS, KIND, SUMS, Block, rank_rows, terms_of
from cstor.store.directory import Directory
from cstor.store.grouping import Ints
from cstor.store.merge import OTHER, Kept, Merged, Partial, Totals, totals_of
from cstor.store.numbering import Numbering
from cstor.store.partials import Measured, Partials, Scratch, added_up, sorted_bins
from cstor.store.query import DEFAULT_RANKING, Ranking, SeriesQuery
from cstor.store.ranking import choose_top

MAX_SLOTS = 8192  # rows of an answer that are added up at a time: each takes about a kilobyte
_SCALAR = {base.key: number for number, base in enumerate(SCALARS)}
_HISTOGRAM = {base.key: number for number, base in enumerate(HISTOGRAMS)}
_DENSE = {key: number for number, key in enumerate(COLUMNS)}
_INT64_MAX = np.iinfo(np.int64).max


class Part(NamedTuple):
    """Rows to walk over, and how many histogram bins are among them at most."""

    rows: Rows
    bins: int


class Table(NamedTuple):
    """Rows of an answer by (bucket, group), the rest last; bins by row, histogram and bin."""

    t: Ints
    group: Ints
    dense: Ints
    cells: Ints
    bins: Ints  # [pairs, 4]: row, histogram, bin, count


class MemorySource:
    """Answers one query from blocks."""

    def __init__(self, query: SeriesQuery, directory: Directory, blocks: Sequence[Block], partials: Partials) -> None:
        self._query = query
        self._flags = directory.flags(query)
        grouping = directory.grouping(query.by)
        self._keys = grouping.keys
        self._ends = grouping.ends
        self._scratch: Scratch | None = None
        self._parts: dict[int, list[Part]] = {}  # by bucket
        for block in blocks:
            bucket = block.t - block.t % query.step
            self._parts.setdefault(bucket, []).extend(self._prepared(block, partials))
        self._narrow()

    def totals(self) -> Totals:
        """Ranked totals of each group."""
        ranked, seen = self._ranked()
        found = np.flatnonzero(seen)
        return Totals(self._keys[found], ranked[found])

    def chosen(self) -> tuple[Kept, int]:
        """The groups that get rows of their own, where nothing but memory has any; and how many groups there are."""
        ranked, seen = self._ranked()
        return choose_top(self._keys, ranked, seen, self._query.limit, self._query.keep), int(np.count_nonzero(seen))

    def merged(self, kept: Kept | None) -> tuple[Merged, Merged | None]:
        """The rows of the answer, and those over all groups if they are wanted."""
        table = self._table(kept)
        rows = _as_merged(table, self._query)
        if not self._query.totals:
            return rows, None
        if "host" in self._query.by:
            return rows, totals_of(rows, halved=True)
        return rows, _as_merged(_total(table), self._query)

    def partial(self, kept: Kept | None) -> Partial:
        """The same for merging with what files have."""
        table = self._table(kept)
        scalars = {key: _column(table, key) for key in self._query.scalars}
        owner, histogram, bins, counts = table.bins.T
        number = np.zeros(len(HISTOGRAMS), np.int64)
        number[[_HISTOGRAM[key] for key in self._query.histograms]] = np.arange(len(self._query.histograms))
        columns = (table.t[owner], table.group[owner], number[histogram], bins, counts)
        return Partial(table.t, table.group, scalars, np.stack(columns, axis=1))

    def _prepared(self, block: Block, partials: Partials) -> list[Part]:
        """The block added up by group where that is remembered or worth it, else its rows as they are."""
        query = self._query
        key = (block.serial, query.filter, query.copies, query.by)
        found = partials.get(key)
        parts = [Rows(block, False, self._flags, groups) for groups in self._ends]
        if found is None:
            self._scratch = self._scratch or Scratch(len(self._keys))
            found = added_up(parts, self._scratch)
            partials.put(key, found)
        if isinstance(found, Measured):
            return [Part(part, found.bins) for part in parts] if found.rows else []
        return [Part(Rows(found, True, self._flags, self._ends[0]), len(found.bin))] if found.rows else []

    def _narrow(self) -> None:
        """Number only the groups that occur, where these are few of all."""
        parts = [part for bucket in self._parts.values() for part in bucket]
        rows = sum(part.rows.block.rows for part in parts)
        if 4 * rows > len(self._keys) or not all(part.rows.is_grouped for part in parts):
            return
        ids = np.concatenate([part.rows.block.ids for part in parts] or [np.zeros(0, np.int32)])
        found, number = np.unique(ids, return_inverse=True)
        rest = int(len(found) > 0 and found[0] < 0)
        number = (number - rest).astype(np.int32)
        self._keys = self._keys[found[rest:]]
        at = 0
        for bucket, some in self._parts.items():
            narrow = []
            for part in some:
                block = part.rows.block
                ids = number[at : at + block.rows]
                narrow.append(part._replace(rows=part.rows._replace(block=block._replace(ids=ids))))
                at += block.rows
            self._parts[bucket] = narrow

    def _ranked(self) -> tuple[Ints, np.ndarray]:
        order = self._query.order
        ranked = np.zeros((len(self._keys), len(order)), np.int64)
        seen = np.zeros(len(self._keys), np.uint8)
        for bucket in self._parts.values():
            for part in bucket:
                rank(part.rows, _values(part.rows.block, order), ranked, seen)
        return ranked, seen

    def _table(self, kept: Kept | None) -> Table:
        """Buckets in turn, as many at a time as there is room for."""
        groups = 1 if kept is None else len(kept.keys)
        number = self._number_of_group(kept)
        buckets = sorted(self._parts)
        tables = []
        if groups < MAX_SLOTS:
            at_once = max(1, MAX_SLOTS // (groups + 1))
            for start in range(0, len(buckets), at_once):
                tables.append(self._added(buckets[start : start + at_once], number, 0, groups))
        else:
            for bucket in buckets:
                for first in range(0, groups, MAX_SLOTS):
                    stop = min(groups, first + MAX_SLOTS)
                    mine = np.where((number >= first) & (number < stop), number - first, SKIPPED).astype(np.int32)
                    if stop == groups:
                        mine[number == FOLDED] = FOLDED
                    tables.append(self._added([bucket], mine, first, stop - first, with_rest=stop == groups))
        return _joined(tables)

    def _number_of_group(self, kept: Kept | None) -> np.ndarray:
        """Place of each group in the answer."""
        if kept is None:
            return np.zeros(1, np.int32)
        if kept.numbers is not None:
            out = np.full(len(self._keys), FOLDED, np.int32)
            out[kept.numbers] = np.arange(len(kept.numbers))
            return out
        places = Numbering(self._keys.shape[1])
        places.add(kept.keys)
        return places.find(self._keys)

    def _added(
        self, buckets: Sequence[int], number: np.ndarray, first: int, groups: int, with_rest: bool = True
    ) -> Table:
        slots = groups + 1
        parts = [(at, part) for at, bucket in enumerate(buckets) for part in self._parts[bucket]]
        wanted = _wanted(self._query)
        bins = min(sum(part.bins for _, part in parts), slots * len(buckets) * SLOT_BINS) if wanted.any_bins else 0
        sums = new_sums(slots * len(buckets), bins)
        for at, part in parts:
            add_rows(part.rows, wanted, number, at * slots, groups if with_rest else FOLDED, sums)
        used = np.flatnonzero(sums.seen)
        bucket, group = np.divmod(used, slots)
        row_of_slot = np.cumsum(sums.seen, dtype=np.int64) - 1
        key, count = sorted_bins(sums)
        table_bins = np.stack([row_of_slot[key // SLOT_BINS], key % SLOT_BINS // BINS, key % BINS, count], axis=1)
        t = np.array(buckets, np.int64)[bucket]
        return Table(t, np.where(group == groups, OTHER, group + first), sums.dense[used], sums.cells[used], table_bins)


def _as_merged(table: Table, query: SeriesQuery) -> Merged:
    scalars = {key: _column(table, key) for key in query.scalars}
    owner, histogram, bins, counts = table.bins[np.argsort(table.bins[:, 1], kind="stable")].T
    starts = np.searchsorted(histogram, np.arange(len(HISTOGRAMS) + 1)).tolist()
    rows, is_large = len(table.t), bool(len(counts)) and counts.max() > COUNT_MAX
    pairs = ((bins << COUNT_BITS) | counts).astype(PAIR)
    cells: dict[str, Cells] = {}
    for key in query.histograms:
        mine = slice(starts[_HISTOGRAM[key]], starts[_HISTOGRAM[key] + 1])
        if mine.start == mine.stop:
            cells[key] = empty(rows)
        elif is_large:
            cells[key] = build(owner[mine], bins[mine], counts[mine], rows)
        else:  # each bin is there once, in its order
            cells[key] = Cells(np.bincount(owner[mine], minlength=rows), pairs[mine])
    return Merged(table.t, table.group, scalars, cells)


def _total(table: Table) -> Table:
    """One row per bucket, over all groups."""
    if not len(table.t):
        return table
    is_first = np.r_[True, table.t[1:] != table.t[:-1]]
    starts, bucket = np.flatnonzero(is_first), np.cumsum(is_first) - 1
    row, histogram, bins, counts = table.bins.T
    key, number = np.unique(bucket[row] * SLOT_BINS + histogram * BINS + bins, return_inverse=True)
    total = np.zeros(len(key), np.int64)
    np.add.at(total, number, counts)
    return Table(
        table.t[starts],
        np.full(len(starts), OTHER, np.int64),
        _reduced(table.dense, starts, _DENSE_IS_SUM),
        _reduced(table.cells, starts, _CELL_IS_SUM),
        np.stack([key // SLOT_BINS, key % SLOT_BINS // BINS, key % BINS, total], axis=1),
    )


def _reduced(columns: Ints, starts: Ints, is_sum: np.ndarray) -> Ints:
    return np.where(is_sum, np.add.reduceat(columns, starts, axis=0), np.maximum.reduceat(columns, starts, axis=0))


_DENSE_IS_SUM = np.arange(len(COLUMNS)) < SUMS
_CELL_IS_SUM = KIND == 0


def _column(table: Table, key: str) -> Ints:
    """One base as answers have it: a minimum as itself, absent where nothing was measured."""
    dense = _DENSE.get(key)
    column = table.dense[:, dense] if dense is not None else table.cells[:, _SCALAR[key]]
    if KINDS[key] != "min":
        return column
    return np.where(column == ABSENT, _INT64_MAX, -column)


def _joined(tables: Sequence[Table]) -> Table:
    if len(tables) == 1:
        return tables[0]
    if not tables:
        nothing = np.zeros(0, np.int64)
        dense, cells = np.zeros((0, len(COLUMNS)), np.int64), np.zeros((0, len(SCALARS)), np.int64)
        return Table(nothing, nothing, dense, cells, np.zeros((0, 4), np.int64))
    before = np.cumsum([0, *(len(table.t) for table in tables[:-1])])
    bins = [table.bins + np.array([start, 0, 0, 0]) for table, start in zip(tables, before, strict=True)]
    columns = [np.concatenate([table[at] for table in tables]) for at in range(4)]
    return Table(columns[0], columns[1], columns[2], columns[3], np.concatenate(bins))


@lru_cache(maxsize=256)
def _wanted_of(scalars: tuple[str, ...], histograms: tuple[str, ...]) -> Wanted:
    dense = [_DENSE[key] for key in scalars if key in _DENSE]
    cells, bins = np.zeros(len(SCALARS), np.uint8), np.zeros(len(HISTOGRAMS), np.uint8)
    cells[[_SCALAR[key] for key in scalars if key not in _DENSE]] = 1
    bins[[_HISTOGRAM[key] for key in histograms]] = 1
    return Wanted(
        np.array([column for column in dense if column < SUMS], np.int64),
        np.array([column for column in dense if column >= SUMS], np.int64),
        cells,
        bins,
        len(dense) == len(COLUMNS),
        bool(cells.any()),
        bool(bins.any()),
    )


def _wanted(query: SeriesQuery) -> Wanted:
    return _wanted_of(query.scalars, query.histograms)


_terms = lru_cache(maxsize=256)(terms_of)


def _values(block: Block, order: tuple[Ranking, ...]) -> Ints:
    """What each row counts for in each ranking."""
    if order == DEFAULT_RANKING:
        return block.ranked
    values = np.zeros((block.rows, len(order)), np.int64)
    rank_rows(block.dense, block.cell_at, block.cell_base, block.cell_value, _terms(order), values)
    return values
