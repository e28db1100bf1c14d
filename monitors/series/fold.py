"""One run folded: the statement that merges its rows, and what becomes of its answer. No transaction of its own.

Sums, minima and maxima merge in SQL, where histograms are only put one behind the other. Both ways rows travel as
binary COPY, taken apart and put together in blocks by NumPy; in between the one codec adds up equal bins.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cstor.metrics.columns import HISTOGRAMS, SCALARS
from cstor.metrics.histogram import PAIR, Cells, compact
from cstor.metrics.metric import SUBJECTS, Subject
from monitors.pulls.answer import ABSENT, Rows
from monitors.series.copy import HEADER, KEY_COLUMNS, TRAILER, block
from monitors.series.tiers import ALL_NODES, TOTAL_GROUP, table_of

HISTOGRAM_KEYS = {subject: [base.key for base in HISTOGRAMS if base.subject == subject] for subject in SUBJECTS}
SCALARS_OF = {subject: [base for base in SCALARS if base.subject == subject] for subject in SUBJECTS}
# A sum beyond 64 bits, which only a node that lies can bring, must not keep a run from being folded.
MOST = 2**63 - 1
MERGE = {
    "sum": f"(CASE WHEN sum({{0}}) > {MOST} THEN {MOST} ELSE sum({{0}}) END)::bigint",
    "min": "min({0})",
    "max": "max({0})",
}
NULL = -1
BLOCK_BYTES = 1 << 20


def select_sql(step: int, source: int, subject: Subject) -> str:
    """SELECT of the folded rows of [from, to) for monitors; parameters: monitors that keep the node apart, from, to,
    monitors. Columns: the keys, scalars (null is -1), bytes of each histogram, all histograms in one."""
    scalars, histograms = SCALARS_OF[subject], HISTOGRAM_KEYS[subject]
    merged = [f"{MERGE[base.kind].format(base.key)} AS {base.key}" for base in scalars]
    merged += [f"coalesce(string_agg({key}, ''::bytea), ''::bytea) AS {key}" for key in histograms]
    told = [
        *(f"coalesce({base.key}, {NULL})" for base in scalars),
        *(f"length({key})" for key in histograms),
        " || ".join(histograms) or "''::bytea",
    ]
    return f"""
        SELECT monitor_id, group_id, extract(epoch FROM bucket)::bigint, node, {", ".join(told)}
        FROM (
          SELECT monitor_id, group_id, bucket, node, {", ".join(merged)}
          FROM (SELECT *, date_bin('{step} s', t, 'epoch') AS bucket,
                  CASE WHEN group_id = {TOTAL_GROUP} OR monitor_id = ANY(%s) THEN node_id ELSE {ALL_NODES} END AS node
                FROM {table_of(source)} WHERE t >= %s AND t < %s AND monitor_id = ANY(%s)) s
          GROUP BY monitor_id, group_id, bucket, node) f
        ORDER BY monitor_id, group_id, bucket, node"""


def columns(subject: Subject) -> str:
    """Columns in the order of the blocks."""
    return ", ".join((*KEY_COLUMNS, *(base.key for base in SCALARS_OF[subject]), *HISTOGRAM_KEYS[subject]))


class Folding:
    """A file that COPY writes the folded rows to; what it is to read goes to `out`, compacted, as it comes."""

    def __init__(self, subject: Subject, out: IO[bytes]) -> None:
        self._scalars = [base.key for base in SCALARS_OF[subject]]
        self._histograms = HISTOGRAM_KEYS[subject]
        self._record = _record(len(self._scalars), len(self._histograms))
        self._pending: list[bytes] = []
        self._size = 0
        self._out = out
        self.rows = 0
        out.write(HEADER)
        self._skip = len(HEADER)

    def write(self, data: bytes) -> int:
        """Some bytes of the server's answer."""
        self._pending.append(data)
        self._size += len(data)
        if self._size >= BLOCK_BYTES:
            self._take()
        return len(data)

    def close(self) -> None:
        """Everything came."""
        self._take()
        self._out.write(TRAILER)

    def _take(self) -> None:
        """The rows that are whole; the rest waits for more."""
        data = b"".join(self._pending)
        heads, blobs, end = self._split(data, self._skip)
        self._pending, self._size, self._skip = [data[end:]], len(data) - end, 0
        if heads:
            found = np.frombuffer(b"".join(heads), dtype=self._record)
            self.rows += len(found)
            self._out.write(self._block(found, b"".join(blobs)))

    def _split(self, data: bytes, at: int) -> tuple[list[bytes], list[bytes], int]:
        """Fixed parts and blobs of the rows, which end with the length of the blob and the blob; where the rest is."""
        size, length = self._record.itemsize, struct.Struct(">i")
        heads, blobs = [], []
        while at + size <= len(data):
            stop = at + size + length.unpack_from(data, at + size - length.size)[0]
            if stop > len(data):
                break
            heads.append(data[at : at + size])
            blobs.append(data[at + size : stop])
            at = stop
        return heads, blobs, at

    def _block(self, found: NDArray[Any], blobs: bytes) -> bytes:
        n = len(found)
        values = found["scalars"]["value"].astype(np.int64).T if self._scalars else np.zeros((0, n), dtype=np.int64)
        lengths = found["lengths"]["value"].astype(np.int64) // PAIR.itemsize
        # Cells of a row lie one behind the other: cell i * histograms + j is histogram j of row i.
        cells = compact(Cells(lengths.ravel(), np.frombuffer(blobs, dtype=PAIR)))
        rows = Rows(
            found["t"].astype(np.int64),
            found["group"].astype(np.int64),
            dict(zip(self._scalars, np.where(values == NULL, ABSENT, values), strict=True)),
            dict(_columns_of(cells, self._histograms)),
            {},
        )
        monitors, nodes = found["monitor"].astype(np.int64), found["node"].astype(np.int64)
        return block([rows], self._scalars, self._histograms, monitors, nodes)


def _columns_of(cells: Cells, names: list[str]) -> Iterator[tuple[str, Cells]]:
    """Cells row by row -> a column of each histogram."""
    if names:
        which = np.repeat(np.arange(len(cells.lengths)) % len(names), cells.lengths)
        for number, name in enumerate(names):
            yield name, Cells(cells.lengths[number :: len(names)], cells.pairs[which == number])


def _record(scalars: int, histograms: int) -> np.dtype[Any]:
    """The part of a row that all rows have: every field behind its length."""
    value = np.dtype([("length", ">i4"), ("value", ">i8")])
    size = np.dtype([("length", ">i4"), ("value", ">i4")])
    return np.dtype(
        [
            *(("fields", ">i2"), ("of_monitor", ">i4"), ("monitor", ">i4"), ("of_group", ">i4"), ("group", ">i8")),
            *(("of_t", ">i4"), ("t", ">i8"), ("of_node", ">i4"), ("node", ">i4")),
            *(("scalars", value, (scalars,)), ("lengths", size, (histograms,)), ("blob", ">i4")),
        ]
    )
