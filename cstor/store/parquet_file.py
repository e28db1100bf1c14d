"""Columns of integers, truths and dictionary-coded words as a Parquet file, written in one piece.

After https://github.com/apache/parquet-format: one data page per column and row group, no compression beyond the
encodings. All parts of a whole ingest cost a fifth to a sixth of the time of DuckDB's writer and 1.6 times the bytes
(48 MB against 30 for a capture of 1 GB).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cstor.store.parquet_encode import BLOCK, delta_room, hybrid_room, put_delta, put_hybrid, put_levels
from cstor.store.thrift import I64, struct_bytes

MAGIC = b"PAR1"
ROW_GROUP = 1 << 20  # rows; each group has its own copy of the dictionaries
CREATED_BY = "cstor"

_BOOLEAN, _INT32, _INT64, _BYTES = 0, 1, 2, 6
_PLAIN, _RLE, _DELTA, _DICTIONARY = 0, 3, 5, 8
_REQUIRED, _OPTIONAL = 0, 1
_UTF8, _SHORT, _INT, _LONG = 0, 16, 17, 18  # converted types
_KINDS: dict[str, tuple[int, int | None]] = {
    "bool": (_BOOLEAN, None),
    "i16": (_INT32, _SHORT),
    "i32": (_INT32, _INT),
    "i64": (_INT64, _LONG),
    "text": (_BYTES, _UTF8),
    "blob": (_BYTES, None),
}

Ints = NDArray[np.int64]


class Words(NamedTuple):
    """A dictionary, as Parquet has it: each word behind its length in four bytes."""

    page: bytes
    number: int  # of words
    least: bytes | None = None  # among them, where readers gain by knowing
    greatest: bytes | None = None


class Column(NamedTuple):
    """One column. `values` are those that are there: numbers, or indexes into `words`."""

    name: str
    kind: str  # of _KINDS
    values: np.ndarray
    where: np.ndarray | None = None  # i8, ascending: the rows that have one; None: all
    words: Words | None = None


def words_of(words: Sequence[bytes]) -> Words:
    """A dictionary of at least one word."""
    return Words(b"".join(map(with_length, words)), len(words))


def with_length(word: bytes) -> bytes:
    return len(word).to_bytes(4, "little") + word


def present(name: str, kind: str, values: np.ndarray, absent: int) -> Column:
    """A column in which one number says that there is none."""
    where = np.flatnonzero(values != absent)
    return Column(name, kind, values) if len(where) == len(values) else Column(name, kind, values[where], where)


class ParquetFile:
    """Encodes files one after the other in the same memory."""

    def __init__(self) -> None:
        self._out = np.empty(1 << 20, np.uint8)
        self._at = 0
        self._scratch = np.zeros(BLOCK, np.int64)

    def write(self, path: Path, rows: int, columns: Iterable[Column], metadata: dict[str, str]) -> None:
        """The whole file; `path` appears incomplete while it is written. A column may change once the next was taken
        from `columns`."""
        self._at = 0
        self._put(MAGIC)
        if rows > ROW_GROUP:
            columns = [column._replace(values=column.values.copy()) for column in columns]
        schema: list[dict[int, Any]] = []
        groups = []
        for start in range(0, max(rows, 1), ROW_GROUP):
            stop = min(rows, start + ROW_GROUP)
            first, chunks = self._at, []
            for column in columns:
                if start == 0:
                    schema.append(_element(column))
                chunks.append(self._chunk(column if stop - start == rows else _part(column, start, stop), stop - start))
            groups.append({1: chunks, 2: I64(self._at - first), 3: I64(stop - start)})
        footer = struct_bytes(_footer(rows, schema, groups, metadata))
        self._put(footer + struct.pack("<I", len(footer)) + MAGIC)
        with path.open("wb", buffering=0) as file:
            view = self._out[: self._at].data
            while view:
                view = view[file.write(view) :]

    def _chunk(self, column: Column, rows: int) -> dict[int, Any]:
        begin = self._at
        dictionary = None
        if column.words:
            dictionary = begin
            size = len(column.words.page)
            self._page({1: 2, 2: size, 3: size, 7: {1: column.words.number, 2: _PLAIN}}, column.words.page)
        at = self._at
        encoding = self._data(column, rows)
        kind, _ = _KINDS[column.kind]
        meta = {
            1: kind,
            2: sorted({_PLAIN, _RLE, encoding}),
            3: [column.name],
            4: 0,
            5: I64(rows),
            6: I64(self._at - begin),
            7: I64(self._at - begin),
            9: I64(at),
            11: None if dictionary is None else I64(dictionary),
            12: _statistics(column, rows),
        }
        return {2: I64(begin), 3: meta}

    def _data(self, column: Column, rows: int) -> int:
        """One data page behind a head for which room is left; answers the encoding."""
        width = max(1, (column.words.number - 1).bit_length()) if column.words else 0
        count = len(column.values)
        room = hybrid_room(count, width) if column.words else delta_room(count)
        begin = 0
        body = self._reserve(room + hybrid_room(rows, 1))
        if column.where is not None:
            begin = put_levels(np.ascontiguousarray(column.where, np.int64), np.int64(rows), body, 0)
        encoding, end = self._values(column, width, body, begin)
        head = {1: rows, 2: encoding, 3: _RLE, 4: _RLE}
        self._page({1: 0, 2: end, 3: end, 5: head}, body[:end])
        return encoding

    def _values(self, column: Column, width: int, body: np.ndarray, at: int) -> tuple[int, int]:
        if not len(column.values):
            return _PLAIN, at
        if column.kind == "bool":
            packed = np.packbits(column.values, bitorder="little")
            body[at : at + len(packed)] = packed
            return _PLAIN, at + len(packed)
        values = np.ascontiguousarray(column.values, np.int64)
        if not column.words:
            return _DELTA, int(put_delta(values, self._scratch, body, at))
        body[at] = width
        return _DICTIONARY, int(put_hybrid(values, np.int64(width), self._scratch, body, at + 1))

    def _reserve(self, room: int) -> np.ndarray:
        """Work memory for a page, behind what is written and room for its head."""
        self._grow(room + (1 << 10))
        return self._out[self._at + (1 << 10) :]

    def _page(self, head: dict[int, Any], body: bytes | np.ndarray) -> None:
        self._put(struct_bytes(head))
        if isinstance(body, bytes):
            self._put(body)
        else:
            self._out[self._at : self._at + len(body)] = body  # moved forward within the same memory
            self._at += len(body)

    def _put(self, content: bytes) -> None:
        self._grow(len(content))
        self._out[self._at : self._at + len(content)] = np.frombuffer(content, np.uint8)
        self._at += len(content)

    def _grow(self, more: int) -> None:
        if self._at + more > len(self._out):
            larger = np.empty(max(2 * len(self._out), self._at + more), np.uint8)
            larger[: self._at] = self._out[: self._at]
            self._out = larger


def _part(column: Column, start: int, stop: int) -> Column:
    """The rows of one row group."""
    if column.where is None:
        return column._replace(values=column.values[start:stop])
    first, last = np.searchsorted(column.where, (start, stop))
    return column._replace(values=column.values[first:last], where=column.where[first:last] - start)


def _statistics(column: Column, rows: int) -> dict[int, Any]:
    """Least and greatest value, so that readers can pass over what they need not read."""
    count = len(column.values)
    found: dict[int, Any] = {3: I64(rows - count)}
    if not count or column.kind == "bool":
        return found
    if column.words:
        return found | {5: column.words.greatest, 6: column.words.least} if column.words.least is not None else found
    form = "<q" if column.kind == "i64" else "<i"
    return found | {5: struct.pack(form, int(column.values.max())), 6: struct.pack(form, int(column.values.min()))}


def _element(column: Column) -> dict[int, Any]:
    kind, converted = _KINDS[column.kind]
    return {1: kind, 3: _REQUIRED if column.where is None else _OPTIONAL, 4: column.name, 6: converted}


def _footer(rows: int, schema: list[Any], groups: list[Any], metadata: dict[str, str]) -> dict[int, Any]:
    return {
        1: 1,
        2: [{4: "schema", 5: len(schema)}, *schema],
        3: I64(rows),
        4: groups,
        5: [{1: key, 2: value} for key, value in metadata.items()],
        6: CREATED_BY,
        7: [{1: {}} for _ in schema],  # statistics are in the order of each type
    }
