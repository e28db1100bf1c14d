"""Closed seconds and sessions as payloads of log blocks, and back.

Arrays are written as they lie in memory (little-endian). The log's head names fields and bases; a program with another
registry or another choice of dense bases reads the same log by these names.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from cstor.buckets.second import BIN, CELL, CONVERSATION, DENSE, OUTCOMES, SESSION, ClosedSecond, SessionBatch
from cstor.metrics.registry import HISTOGRAMS, SCALARS
from cstor.store.rows import BASE_NUMBER

_SECOND = struct.Struct("<qIIII")  # epoch second, rows, dense columns, cells, bins
_HISTOGRAM_NUMBER = {base.key: number for number, base in enumerate(HISTOGRAMS)}


def head() -> bytes:
    """What the head block of a log says."""
    return json.dumps(_layout()).encode()


def _layout() -> dict[str, Any]:
    return {
        "conversation": _fields(CONVERSATION),
        "dense": list(DENSE),
        "scalars": [base.key for base in SCALARS],
        "histograms": [base.key for base in HISTOGRAMS],
        "session": _fields(SESSION),
        "outcomes": list(OUTCOMES),
    }


def _fields(dtype: np.dtype) -> list[list[Any]]:
    fields: Any = dtype.fields or {}
    return [[name, dtype[name].str, fields[name][1]] for name in dtype.names or ()] + [["", "", dtype.itemsize]]


def _dtype(fields: list[list[Any]]) -> np.dtype:
    *named, (_, _, size) = fields
    columns = {"names": [f[0] for f in named], "formats": [f[1] for f in named], "offsets": [f[2] for f in named]}
    return np.dtype({**columns, "itemsize": size})  # type: ignore[call-overload, no-any-return]


def encode_second(second: ClosedSecond) -> list[bytes | memoryview]:
    """Parts of a SECOND block: a busy second has tens of megabytes, which are written from where they lie."""
    rows, columns = second.dense.shape
    sizes = _SECOND.pack(second.t, rows, columns, len(second.cells), len(second.bins))
    arrays = (second.keys, second.dense, second.cells, second.bins)
    return [sizes, *(_bytes_of(array) for array in arrays)]


def encode_sessions(batch: SessionBatch) -> list[bytes | memoryview]:
    """Parts of a SESSIONS block."""
    return [_bytes_of(batch.rows)]


def _bytes_of(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


class Decoder:
    """Reads the payloads of one log by what its head said."""

    def __init__(self, head_payload: bytes) -> None:
        layout = json.loads(head_payload)
        self._same = layout == _layout()
        self._layout = layout
        self._conversation = _dtype(layout["conversation"])
        self._session = _dtype(layout["session"])

    def second(self, payload: bytes) -> ClosedSecond:
        """The second of a SECOND block."""
        t, rows, columns, cells, bins = _SECOND.unpack_from(payload)
        position = _SECOND.size
        arrays = []
        for dtype, count in ((self._conversation, rows), (np.dtype("i8"), rows * columns), (CELL, cells), (BIN, bins)):
            arrays.append(np.frombuffer(payload, dtype, count, position))
            position += count * dtype.itemsize
        second = ClosedSecond(t, arrays[0], arrays[1].reshape(rows, columns), arrays[2], arrays[3])
        return second if self._same else self._translated(second)

    def sessions(self, payload: bytes) -> SessionBatch:
        """The sessions of a SESSIONS block."""
        rows = np.frombuffer(payload, self._session)
        if self._same:
            return SessionBatch(rows)
        out = _renamed(rows, SESSION, fill=-1)
        outcomes = [OUTCOMES.index(name) if name in OUTCOMES else 0 for name in self._layout["outcomes"]]
        out["outcome"] = np.array(outcomes, np.int8)[rows["outcome"]]
        return SessionBatch(out)

    def _translated(self, second: ClosedSecond) -> ClosedSecond:
        """The same second with the numbers of this program's registry; bases it no longer knows are left out."""
        keys = _renamed(second.keys, CONVERSATION, fill=0)
        old_dense = {key: number for number, key in enumerate(self._layout["dense"])}
        dense = np.zeros((len(keys), len(DENSE)), np.int64)
        for number, key in enumerate(DENSE):
            if key in old_dense:
                dense[:, number] = second.dense[:, old_dense[key]]
        cells = self._renumbered(second.cells, "base", self._layout["scalars"], BASE_NUMBER)
        moved = [self._as_cells(second, number, key) for key, number in old_dense.items() if key not in DENSE]
        bins = self._renumbered(second.bins, "metric", self._layout["histograms"], _HISTOGRAM_NUMBER)
        return ClosedSecond(second.t, keys, dense, np.concatenate([cells, *moved]), bins)

    @staticmethod
    def _renumbered(table: np.ndarray, field: str, old: list[str], new: dict[str, int]) -> np.ndarray:
        numbers = np.array([new.get(key, -1) for key in old] or [-1], np.int16)
        out = table.copy()
        out[field] = numbers[table[field]]
        return out[out[field] >= 0]

    @staticmethod
    def _as_cells(second: ClosedSecond, column: int, key: str) -> np.ndarray:
        rows = np.flatnonzero(second.dense[:, column])
        out = np.zeros(len(rows) if key in BASE_NUMBER else 0, CELL)
        if len(out):
            out["row"], out["base"], out["value"] = rows, BASE_NUMBER[key], second.dense[rows, column]
        return out


class TableDecoder:
    """Reads the rows of one log of a small table (points, node) by what its head said."""

    def __init__(self, head_payload: bytes, dtype: np.dtype) -> None:
        self._stored = _dtype(json.loads(head_payload)["fields"])
        self._dtype = dtype

    def rows(self, payload: bytes) -> np.ndarray:
        """The rows of a ROWS block."""
        return _renamed(np.frombuffer(payload, self._stored), self._dtype, fill=0)


def table_head(dtype: np.dtype) -> bytes:
    """What the head block of a small table's log says."""
    return json.dumps({"fields": _fields(dtype)}).encode()


def _renamed(rows: np.ndarray, dtype: np.dtype, fill: int) -> np.ndarray:
    out = np.zeros(len(rows), dtype)
    for name in dtype.names or ():
        if name in (rows.dtype.names or ()):
            out[name] = rows[name]
        elif dtype[name].kind == "i":
            out[name] = fill
    return out
