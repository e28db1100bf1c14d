"""Columns of an answer -> PostgreSQL's binary COPY, put together for all cells at once. Pure.

The format (PostgreSQL, "COPY", Binary Format): a row is the number of its fields, a field its length and that many
bytes, big-endian; NULL is the length -1. Every field here is made of 32-bit words, so a row is a stretch of one array
of words, and only the 16-bit number of fields at its head is put in row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cstor.metrics.columns import HISTOGRAMS, SCALARS
from cstor.metrics.histogram import PAIR, Cells
from monitors.pulls.answer import ABSENT, Rows

KEY_COLUMNS = ("monitor_id", "group_id", "t", "node_id")
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# timestamptz is in microseconds since 2000-01-01.
EPOCH_2000 = 946_684_800
MICROSECONDS = 1_000_000

Ints = NDArray[np.int64]
Words = NDArray[np.uint32]
_WORD = np.dtype(">u4")
_NULL = 2**32 - 1


def columns_of(answers: Iterable[Rows]) -> list[str]:
    """The base columns that any of the answers has, histograms last: the others stay NULL without being named."""
    present = {key for rows in answers for key in (*rows.scalars, *rows.histograms)}
    return [base.key for base in (*SCALARS, *HISTOGRAMS) if base.key in present]


def binary(answers: Iterable[tuple[int, Rows]], columns: Sequence[str], node_id: int) -> Iterator[bytes]:
    """All of a COPY ... WITH (FORMAT binary): rows of (monitor, rows) in turn."""
    yield HEADER
    for monitor_id, rows in answers:
        yield block(rows, columns, monitor_id, node_id)
    yield TRAILER


def block(rows: Rows, columns: Sequence[str], monitor_id: int, node_id: int) -> bytes:
    """The rows of one answer, sorted by group then time so that a series lies on few pages."""
    n = len(rows)
    order = np.lexsort((rows.t, rows.group))
    scalars = [key for key in columns if key not in _HISTOGRAM_KEYS]
    cells = [rows.histograms.get(key) for key in columns[len(scalars) :]]
    values = np.full((n, len(scalars) + 2), ABSENT, dtype=np.int64)
    values[:, 0], values[:, 1] = rows.group[order], (rows.t[order] - EPOCH_2000) * MICROSECONDS
    for number, key in enumerate(scalars, start=2):
        if (column := rows.scalars.get(key)) is not None:
            values[:, number] = column[order]
    pairs = np.zeros((n, len(cells)), dtype=np.int64)
    for number, cell in enumerate(cells):
        if cell is not None:
            pairs[:, number] = cell.lengths[order]
    return _rows(_Layout(values, pairs), values, cells, order, monitor_id, node_id, len(columns))


_HISTOGRAM_KEYS = {base.key for base in HISTOGRAMS}


class _Layout:
    """Where each field begins, in words: monitor, group, t, node, scalars, histograms, row after row."""

    def __init__(self, values: Ints, pairs: Ints) -> None:
        self.is_null = values == ABSENT
        # A monitor and a node id are a length and a word, an integer is a length and two words.
        sizes = np.concatenate([np.where(self.is_null, 1, 3), pairs + 1], axis=1)
        sizes[:, 0] += _INT4
        sizes[:, 1] += _INT4
        stops = np.cumsum(sizes).reshape(sizes.shape)
        starts = stops - sizes
        starts[:, 0] += _INT4
        self.values = starts[:, : values.shape[1]]
        self.cells = starts[:, values.shape[1] :]
        self.lengths = pairs
        self.rows = np.concatenate([np.zeros(1, dtype=np.int64), stops[:, -1]])


_INT4 = 2


def _rows(
    layout: _Layout,
    values: Ints,
    cells: Sequence[Cells | None],
    order: Ints,
    monitor_id: int,
    node_id: int,
    columns: int,
) -> bytes:
    out = np.empty(int(layout.rows[-1]), dtype=_WORD)
    begins = layout.rows[:-1]
    out[begins], out[begins + 1] = 4, monitor_id
    nodes = layout.values[:, 1] + 3
    out[nodes], out[nodes + 1] = 4, node_id
    _integers(out, layout, values)
    _histograms(out, layout, cells, order)
    body, size = out.tobytes(), _WORD.itemsize
    head = (columns + len(KEY_COLUMNS)).to_bytes(2, "big")
    stops = (layout.rows * size).tolist()
    return b"".join([part for n in range(len(begins)) for part in (head, body[stops[n] : stops[n + 1]])])


def _integers(out: Words, layout: _Layout, values: Ints) -> None:
    out[layout.values] = np.where(layout.is_null, _NULL, 8)
    given = ~layout.is_null
    at, found = layout.values[given], values[given]
    out[at + 1] = found >> 32
    out[at + 2] = found & 0xFFFFFFFF


def _histograms(out: Words, layout: _Layout, cells: Sequence[Cells | None], order: Ints) -> None:
    out[layout.cells] = np.where(layout.lengths, layout.lengths * PAIR.itemsize, _NULL)
    for number, cell in enumerate(cells):
        if cell is None or not len(cell.pairs):
            continue
        # Pairs stay in the order of the answer; each goes where its row went.
        place = np.empty(len(order), dtype=np.int64)
        place[order] = layout.cells[:, number] + 1
        before = np.cumsum(cell.lengths) - cell.lengths
        at = np.repeat(place - before, cell.lengths) + np.arange(len(cell.pairs))
        out[at] = cell.pairs.astype(PAIR).view(_WORD)
