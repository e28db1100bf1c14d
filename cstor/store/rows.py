"""Many closed seconds as columns: what the writer turns into Parquet and what queries of the last minutes walk over.

A value that is absent is 0 in a sum, and in a minimum or maximum the number that loses against every other, so that
merging needs no masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cstor.buckets.second import BIN, CELL, CONVERSATION, DENSE, ClosedSecond
from cstor.metrics.registry import BASES, KINDS, SCALARS

Ints = NDArray[np.int64]

_INT64 = np.iinfo(np.int64)
ABSENT = {"sum": 0, "min": int(_INT64.max), "max": int(_INT64.min)}
BASE_NUMBER = {base.key: number for number, base in enumerate(SCALARS)}
_DENSE_NUMBER = {key: number for number, key in enumerate(DENSE)}


def absent_value(base_key: str) -> int:
    """What stands in a column where the base was not measured."""
    return ABSENT[KINDS[base_key]]


class Rows:
    """Rows of (second, conversation); rows of one conversation and second need not be unique."""

    def __init__(self, t: Ints, keys: np.ndarray, dense: Ints, cells: np.ndarray, bins: np.ndarray) -> None:
        self.t = t
        self.keys = keys  # CONVERSATION
        self.dense = dense
        self._cells = cells  # CELL
        self.bins = bins  # BIN

    def __len__(self) -> int:
        return len(self.t)

    def column(self, base_key: str) -> Ints:
        """One base as int64 per row."""
        number = _DENSE_NUMBER.get(base_key)
        if number is not None:
            return self._dense_column(base_key, number)
        out = np.full(len(self), absent_value(base_key), np.int64)
        cells = self._cells_of(BASE_NUMBER[base_key])
        out[cells["row"]] = cells["value"]
        return out

    def present(self) -> list[str]:
        """Keys of the bases that any row has, in the registry's order: the others need no column in a file."""
        numbers = set(np.unique(self._cells["base"]).tolist())
        numbers.update(
            BASE_NUMBER[key]
            for key in DENSE
            if len(self) and (self._dense_column(key, _DENSE_NUMBER[key]) != absent_value(key)).any()
        )
        return [SCALARS[number].key for number in sorted(numbers)]

    def _dense_column(self, base_key: str, number: int) -> Ints:
        column = self.dense[:, number]
        if BASES[base_key].kind == "sum":
            return column
        # A minimum or maximum of a timing counts only where there were samples; other maxima are above 0.
        count = _DENSE_NUMBER.get(f"{base_key[:-4]}_count")
        valid = self.dense[:, count] > 0 if count is not None else column != 0
        return np.where(valid, column, absent_value(base_key))

    @cached_property
    def _by_base(self) -> tuple[np.ndarray, Ints]:
        cells = self._cells[np.argsort(self._cells["base"], kind="stable")]
        return cells, np.searchsorted(cells["base"], np.arange(len(SCALARS) + 1))

    def _cells_of(self, number: int) -> np.ndarray:
        cells, starts = self._by_base
        return cells[starts[number] : starts[number + 1]]


def join(seconds: Sequence[ClosedSecond]) -> Rows:
    """The rows of several seconds in their order."""
    counts = np.array([len(second.keys) for second in seconds], np.int64)
    starts = np.cumsum(counts) - counts
    if not len(counts):
        return Rows(
            np.zeros(0, np.int64),
            np.zeros(0, CONVERSATION),
            np.zeros((0, len(DENSE)), np.int64),
            np.zeros(0, CELL),
            np.zeros(0, BIN),
        )
    return Rows(
        np.repeat(np.array([second.t for second in seconds], np.int64), counts),
        np.concatenate([second.keys for second in seconds]),
        np.concatenate([second.dense for second in seconds]),
        _shifted([second.cells for second in seconds], starts),
        _shifted([second.bins for second in seconds], starts),
    )


def _shifted(parts: list[np.ndarray], starts: Ints) -> np.ndarray:
    joined = np.concatenate(parts)
    joined["row"] += np.repeat(starts, [len(part) for part in parts]).astype(np.int32)
    return joined
