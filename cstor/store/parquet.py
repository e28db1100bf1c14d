"""Rows and sessions into Parquet files that any SQL engine reads: series/, latency/ and sessions/ of a store.

Columns that are empty throughout are left out (readers unite by name), absent values are NULL. Addresses stand as text
and as 16 bytes, for ranges. Each file is written under a hidden name and renamed when it is whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cstor.buckets.second import BIN, CELL, CONVERSATION, DENSE, OUTCOMES, SESSION, ClosedSecond, SessionBatch
from cstor.metrics.registry import HISTOGRAMS
from cstor.store.addresses import End, end_of
from cstor.store.columns import Seconds, number_equal
from cstor.store.grouping import Ints
from cstor.store.layout import FORMAT_VERSION
from cstor.store.parquet_encode import transpose
from cstor.store.parquet_file import Column, ParquetFile, present, words_of
from cstor.store.sessions_sql import session_columns

METRICS = words_of([base.key.encode() for base in HISTOGRAMS])
ENDINGS = words_of([name.encode() for name in OUTCOMES])
LINE = 8  # int64 fields of a session that lie in one cache line

_KEYS = ("server_port", "protocol", "vni", "vlan", "is_copy", "is_other")
_SESSION_KEYS = ("client_hi", "client_lo", "server_hi", "server_lo", *_KEYS[:-1])
_SESSION_HEADS = (*_SESSION_KEYS, "start_ns", "end_ns", "client_port", "role_guessed", "outcome", "history")


class ParquetWriter:
    """Writes parts of a store. Not for several threads at once."""

    def __init__(self) -> None:
        self._file = ParquetFile()

    def seconds(self, seconds: Sequence[ClosedSecond], latency: Path, series: Path) -> None:
        """latency/, one row per (second, conversation, timing, bin); then series/, one per (second, conversation)."""
        rows = Seconds(seconds)
        ends = [end_of(rows.keys, side) for side in ("client", "server")]
        keys = {name: np.ascontiguousarray(rows.keys[name]) for name in _KEYS}
        bins = rows.bins()
        if len(bins.row):
            of_bins = [
                Column("t", "i64", rows.t[bins.row]),
                *_key_columns({name: column[bins.row] for name, column in keys.items()}, _of(ends, bins.row)),
                Column("metric", "text", bins.metric, None, METRICS),
                Column("bin", "i16", bins.bin),
                Column("n", "i32", bins.n),
            ]
            self._write(latency, "latency", len(bins.row), of_bins)
        scalars = [Column(key, "i64", base.values, base.where) for key, base in rows.scalars().items()]
        columns = [Column("t", "i64", rows.t), *_key_columns(keys, ends), *scalars]
        self._write(series, "series", len(rows), columns)

    def sessions(self, batches: Sequence[SessionBatch], ids: Ints, path: Path) -> None:
        """One row per session."""
        heads = np.concatenate([_heads(batch.rows) for batch in batches])
        self._write(path, "sessions", len(heads), _session_columns(batches, heads, ids))

    def _write(self, path: Path, dataset: str, rows: int, columns: Iterable[Column]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.tmp")
        metadata = {"cclear_dataset": dataset, "cclear_format": str(FORMAT_VERSION)}
        try:
            self._file.write(hidden, rows, columns, metadata)
            hidden.replace(path)
        except OSError:
            hidden.unlink(missing_ok=True)  # what is half written would only make a full disk fuller
            raise


def _of(ends: list[End], rows: Ints) -> list[End]:
    return [end._replace(numbers=end.numbers[rows]) for end in ends]


def _key_columns(keys: dict[str, np.ndarray], ends: list[End]) -> Iterator[Column]:
    """Key columns; the folded rest has none."""
    is_other = keys["is_other"]
    where = np.flatnonzero(is_other == 0) if is_other.any() else None

    def kept(values: np.ndarray) -> np.ndarray:
        return values if where is None else values[where]

    for end in ends:
        yield Column(f"{end.side}_ip", "text", kept(end.numbers), where, end.text)
    for end in ends:
        yield Column(f"{end.side}_addr", "blob", kept(end.numbers), where, end.raw)
    for name, kind in (("server_port", "i32"), ("protocol", "i16")):
        yield Column(name, kind, kept(keys[name]), where)
    for name, kind in (("vni", "i32"), ("vlan", "i16")):
        yield present(name, kind, keys[name], -1)
    yield Column("is_copy", "bool", keys["is_copy"])
    yield Column("is_other", "bool", is_other)


def _heads(rows: np.ndarray) -> np.ndarray:
    """What is said of a session beside its numbers; copied field by field, since rows are long."""
    out = np.empty(len(rows), [(name, SESSION[name]) for name in _SESSION_HEADS])
    for name in _SESSION_HEADS:
        out[name] = rows[name]
    return out


def _session_columns(batches: Sequence[SessionBatch], heads: np.ndarray, ids: Ints) -> Iterator[Column]:
    yield Column("id", "i64", ids)
    yield Column("start_ns", "i64", heads["start_ns"])
    yield Column("end_ns", "i64", heads["end_ns"])
    keys = {name: np.ascontiguousarray(heads[name]) for name in _KEYS[:-1]}
    keys["is_other"] = np.zeros(len(heads), np.uint8)
    yield from _key_columns(keys, [end_of(heads, side) for side in ("client", "server")])
    yield Column("client_port", "i32", heads["client_port"])
    yield Column("role_guessed", "bool", np.ascontiguousarray(heads["role_guessed"]))
    yield Column("outcome", "text", heads["outcome"], None, ENDINGS)
    history, first = number_equal(np.ascontiguousarray(heads["history"]).view(np.int64).reshape(len(heads), -1))
    texts = [text.decode("ascii", "replace").encode() for text in heads["history"][first].tolist()]
    yield Column("history", "text", history, None, words_of(texts))
    yield from _numbers(batches, len(heads))


def _numbers(batches: Sequence[SessionBatch], total: int) -> Iterator[Column]:
    """Counters and timings that any session has. A column alone would touch a cache line for each number, so those of
    one line are turned into columns together."""
    fields: Any = SESSION.fields
    by_line: dict[int, list[tuple[int, str, int]]] = {}
    for name, absent in session_columns():
        at = fields[name][1] // 8
        by_line.setdefault(at // LINE, []).append((at % LINE, name, absent))
    lines = np.empty((LINE, total), np.int64)
    for line, named in by_line.items():
        begin = 0
        for batch in batches:
            matrix = np.ascontiguousarray(batch.rows).view(np.int64).reshape(len(batch.rows), -1)
            transpose(matrix[:, LINE * line : LINE * (line + 1)], lines[:, begin : begin + len(matrix)])
            begin += len(matrix)
        for at, name, absent in named:
            column = present(name, "i64", lines[at], absent)
            if len(column.values):
                yield column


def warm_up() -> None:
    """Load (or compile) the kernels that write files, before packets wait for them."""
    second = ClosedSecond(
        0, np.zeros(1, CONVERSATION), np.ones((1, len(DENSE)), np.int64), np.zeros(1, CELL), np.zeros(1, BIN)
    )
    with tempfile.TemporaryDirectory(prefix="cstor-warm-") as folder:
        writer = ParquetWriter()
        writer.seconds([second], Path(folder) / "latency", Path(folder) / "series")
        for count in (1, 2):  # one row alone is contiguous in every way, which is a type of its own
            batch = SessionBatch(np.zeros(count, SESSION))
            writer.sessions([batch], np.zeros(count, np.int64), Path(folder) / "sessions")
