"""Series from seconds in memory: the filter as a mask over columns, the groups by their numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cstor.metrics.registry import HISTOGRAMS
from cstor.store import address
from cstor.store.grouping import Ints, group_rows
from cstor.store.merge import OTHER, Kept, Partial, Totals
from cstor.store.query import SeriesQuery, has_filter
from cstor.store.rows import Rows
from wire.filters.columns import mask

_HISTOGRAM_NUMBER = {base.key: number for number, base in enumerate(HISTOGRAMS)}


class RowsSource:
    """Answers one query from seconds."""

    def __init__(self, query: SeriesQuery, rows: Rows) -> None:
        self._query = query
        self._rows = rows
        chosen = np.flatnonzero(self._mask())
        # `host` counts each conversation at both its ends: rows appear twice.
        self._ends = [chosen, chosen] if "host" in query.by else [chosen]
        self._index = np.concatenate(self._ends)
        self._keys = np.concatenate([self._key_matrix(index, end) for end, index in enumerate(self._ends)])
        self._is_other = self._rows.keys["is_other"][self._index] != 0

    def totals(self) -> Totals:
        """Ranked totals of each group."""
        kept = ~self._is_other
        groups = group_rows(self._keys[kept])
        ranked = np.zeros((len(groups.first), len(self._query.order)), np.int64)
        for number, ranking in enumerate(self._query.order):
            value = sum(weight * self._rows.column(key) for key, weight in ranking.terms)
            np.add.at(ranked[:, number], groups.number, np.asarray(value)[self._index[kept]])
        return Totals(self._keys[kept][groups.first], ranked)

    def partial(self, kept: Kept | None) -> Partial:
        """Rows per bucket and kept group; `kept` is None where nothing is grouped."""
        group = self._group_numbers(kept)
        step, rows = self._query.step, self._rows
        t = rows.t[self._index] - rows.t[self._index] % step
        scalars = {key: rows.column(key)[self._index] for key in self._query.scalars}
        return Partial(t, group, scalars, self._bins(t, group))

    def _mask(self) -> NDArray[np.bool_]:
        keys = self._rows.keys
        found = mask(self._query.filter, keys, self._query.text)
        if not self._query.copies:
            found &= keys["is_copy"] == 0
        if has_filter(self._query):
            found &= keys["is_other"] == 0
        return found

    def _key_matrix(self, index: Ints, end: int) -> Ints:
        keys = self._rows.keys[index]
        columns: list[Ints] = []
        for key in self._query.by:
            if key == "host":
                columns += _address(keys, "client" if end == 0 else "server")
            elif key.endswith("_ip"):
                columns += _address(keys, key[:-3])
            elif key.endswith("_net"):
                columns += address.net_of(*_address(keys, key[:-4]))
            else:
                columns.append(keys[key].astype(np.int64))
        return np.stack(columns, axis=1) if columns else np.zeros((len(index), 0), np.int64)

    def _group_numbers(self, kept: Kept | None) -> Ints:
        if kept is None:
            return np.zeros(len(self._index), np.int64)
        both = group_rows(np.concatenate([kept.keys, self._keys]))
        number_of = np.full(len(both.first), OTHER, np.int64)
        number_of[both.number[: len(kept.keys)]] = np.arange(len(kept.keys))
        return np.where(self._is_other, OTHER, number_of[both.number[len(kept.keys) :]])

    def _bins(self, t: Ints, group: Ints) -> Ints:
        wanted = self._query.histograms
        if not wanted or not len(self._index):
            return np.zeros((0, 5), np.int64)
        bins = self._rows.bins
        number_of = np.full(len(HISTOGRAMS), -1, np.int64)
        number_of[[_HISTOGRAM_NUMBER[key] for key in wanted]] = np.arange(len(wanted))
        number = number_of[bins["metric"]]
        parts = []
        for start in range(0, len(self._index), len(self._ends[0])):
            position = np.full(len(self._rows), -1, np.int64)
            position[self._ends[0]] = np.arange(start, start + len(self._ends[0]))
            owner = position[bins["row"]]
            mine = (owner >= 0) & (number >= 0)
            owner = owner[mine]
            columns = (t[owner], group[owner], number[mine], bins["bin"][mine], bins["n"][mine])
            parts.append(np.stack([np.asarray(column, np.int64) for column in columns], axis=1))
        return np.concatenate(parts)


def _address(keys: np.ndarray, side: str) -> tuple[Ints, Ints]:
    return keys[f"{side}_hi"], keys[f"{side}_lo"]
