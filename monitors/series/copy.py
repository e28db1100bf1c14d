"""Columns of answers -> PostgreSQL's binary COPY, put together for all cells at once. Pure.

The format (PostgreSQL, "COPY", Binary Format): a row is the number of its fields, a field its length and that many
bytes, big-endian; NULL is the length -1. Every field here is made of 32-bit words, so rows are stretches of one array
of words, into which every column is put as a whole; only the 16-bit number of fields at their heads follows row by row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cstor.metrics.columns import HISTOGRAMS, SCALARS
from cstor.metrics.histogram import PAIR
from monitors.pulls.answer import ABSENT, Rows

KEY_COLUMNS = ("monitor_id", "group_id", "t", "node_id")
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# timestamptz is in microseconds since 2000-01-01.
EPOCH_2000 = 946_684_800
MICROSECONDS = 1_000_000
# Rows put together at once: enough that a column is worth a call, few enough that all of it stays in the cache.
CHUNK = 100

Ints = NDArray[np.int64]
Words = NDArray[np.uint32]
Answers = Sequence[tuple[int, Rows]]
_NULL = 2**32 - 1
_INT4 = 2  # words: a length and a number


def columns_of(answers: Iterable[Rows]) -> tuple[list[str], list[str]]:
    """Scalars and histograms that any of the answers has: the others stay NULL without being named."""
    scalars: set[str] = set()
    histograms: set[str] = set()
    for rows in answers:
        scalars |= rows.scalars.keys()
        histograms |= rows.histograms.keys()
    return (
        [base.key for base in SCALARS if base.key in scalars],
        [base.key for base in HISTOGRAMS if base.key in histograms],
    )


def binary(answers: Answers, scalars: Sequence[str], histograms: Sequence[str], node_id: int) -> Iterator[bytes]:
    """All of a COPY ... WITH (FORMAT binary) of (monitor, rows), each answer's rows sorted by group then time so that
    a series lies on few pages. Fields are the key columns, `scalars`, `histograms`."""
    yield HEADER
    first, rows = 0, 0
    for number, (_, found) in enumerate(answers):
        rows += len(found)
        if rows and (rows >= CHUNK or number == len(answers) - 1):
            taken = answers[first : number + 1]
            monitors = np.repeat([monitor for monitor, _ in taken], [len(part) for _, part in taken])
            yield block([part for _, part in taken], scalars, histograms, monitors, node_id)
            first, rows = number + 1, 0
    yield TRAILER


def block(
    parts: Sequence[Rows], scalars: Sequence[str], histograms: Sequence[str], monitors: Ints, nodes: Ints | int
) -> bytes:
    """The rows of all parts without header and trailer; `monitors` and `nodes` of each row."""
    return _Chunk(parts, scalars, histograms, monitors, nodes).text()


class Blocks:
    """A file of blocks, read one by one: the server takes one in while the next is made."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)

    def read(self, size: int = -1) -> bytes:
        """The next block, whatever its size; nothing at the end."""
        return next(self._blocks, b"")


class _Chunk:
    """Some answers, their columns one after the other in the order of the rows as they came."""

    def __init__(
        self,
        parts: Sequence[Rows],
        scalars: Sequence[str],
        histograms: Sequence[str],
        monitors: Ints,
        nodes: Ints | int,
    ) -> None:
        self._parts = parts
        sizes = [len(rows) for rows in self._parts]
        self._stops = np.cumsum(sizes).tolist()
        self._n = self._stops[-1]
        self._fields = len(KEY_COLUMNS) + len(scalars) + len(histograms)
        self._histograms = histograms
        self._node = nodes
        self._monitor = monitors
        self._group = np.concatenate([rows.group for rows in self._parts])
        self._t = np.concatenate([rows.t for rows in self._parts])
        self._order = np.lexsort((self._t, self._group, np.repeat(np.arange(len(sizes)), sizes), monitors))
        self._values = self._scalar_values(scalars)
        self._pairs = self._histogram_lengths()

    def text(self) -> bytes:
        """The rows, as COPY reads them."""
        is_null = self._values == ABSENT
        # A column a row here: group and time with the monitor before and the node behind, scalars, histograms.
        sizes = np.concatenate([np.where(is_null, 1, 3), self._pairs + 1])
        sizes[0] += _INT4
        sizes[1] += _INT4
        ends = np.cumsum(sizes, axis=0)
        stops = np.cumsum(ends[-1][self._order])
        begins = np.empty(self._n, dtype=np.int64)
        begins[self._order] = stops - ends[-1][self._order]
        at = ends - sizes + begins
        at[0] += _INT4
        out = np.zeros(int(stops[-1]), dtype=np.uint32)
        out[begins], out[begins + 1] = 4, self._monitor
        out[at[1] + 3], out[at[1] + 4] = 4, self._node
        self._put_integers(out, at[: len(is_null)], is_null)
        histograms = at[len(is_null) :]
        out[histograms] = np.where(self._pairs, self._pairs * PAIR.itemsize, _NULL)
        if sys.byteorder == "little":
            out.byteswap(inplace=True)
        self._put_histograms(out, histograms)
        return self._with_heads(out.tobytes(), (stops * out.itemsize).tolist())

    def _scalar_values(self, scalars: Sequence[str]) -> Ints:
        values = np.full((len(scalars) + 2, self._n), ABSENT, dtype=np.int64)
        values[0], values[1] = self._group, (self._t - EPOCH_2000) * MICROSECONDS
        place = {key: number for number, key in enumerate(scalars, start=2)}
        start = 0
        for rows, stop in zip(self._parts, self._stops, strict=True):
            if rows.scalars:
                values[[place[key] for key in rows.scalars], start:stop] = list(rows.scalars.values())
            start = stop
        return values

    def _histogram_lengths(self) -> Ints:
        lengths = np.zeros((len(self._histograms), self._n), dtype=np.int64)
        for number, key in enumerate(self._histograms):
            start = 0
            for rows, stop in zip(self._parts, self._stops, strict=True):
                if (cells := rows.histograms.get(key)) is not None:
                    lengths[number, start:stop] = cells.lengths
                start = stop
        return lengths

    def _put_integers(self, out: Words, at: Ints, is_null: NDArray[np.bool_]) -> None:
        out[at] = np.where(is_null, _NULL, 8)
        given = ~is_null
        place, found = at[given], self._values[given]
        out[place + 2] = found.astype(np.uint32)
        high = (found >> 32).astype(np.uint32)
        large = np.flatnonzero(high)  # few numbers have more than 32 bits, and what is not written is 0
        out[place[large] + 1] = high[large]

    def _put_histograms(self, out: Words, at: Ints) -> None:
        for number, key in enumerate(self._histograms):
            found = [rows.histograms[key].pairs for rows in self._parts if key in rows.histograms]
            # None where this column is of another part of the batch.
            pairs, lengths = np.concatenate([*found, np.zeros(0, PAIR)]), self._pairs[number]
            before = np.cumsum(lengths) - lengths
            place = np.repeat(at[number] + 1 - before, lengths) + np.arange(len(pairs))
            # Little-endian as they are: the table keeps the bytes of the answer.
            out[place] = pairs.astype(PAIR, copy=False).view(np.uint32)

    def _with_heads(self, body: bytes, stops: list[int]) -> bytes:
        head, start = self._fields.to_bytes(2, "big"), 0
        parts: list[bytes] = []
        for stop in stops:
            parts += (head, body[start:stop])
            start = stop
        return b"".join(parts)
