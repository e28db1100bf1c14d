"""Answers whose numbers come as bytes behind their line, as cstor/store/answer_frame.py writes them.

Read into what `monitors.pulls.normalize` takes: integer columns as arrays of 64 bits, the least of all for null, and
histograms as Cells. Whatever a node sends, an array is never longer than its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cstor.metrics.histogram import PAIR, Cells

MEDIA_TYPE = "application/vnd.cclear.series"
NUMBER = np.dtype("<i8")


class TooLong(Exception):
    """An answer longer than what is held in memory."""


class Torn(Exception):
    """The stream ended within an answer, or nobody knows where the next one begins."""


class Stream:
    """Lines and blocks of bytes out of chunks as they arrive; a chunk is cut once, never copied whole."""

    def __init__(self, chunks: Iterator[bytes], most: int) -> None:
        self._chunks = chunks
        self._most = most
        self._chunk = b""
        self._at = 0

    def line(self) -> bytes | None:
        """The next line that is not blank, without its end; None at the end of the stream."""
        pieces: list[bytes] = []
        held = 0
        while True:
            end = self._chunk.find(b"\n", self._at)
            pieces.append(self._chunk[self._at : end if end >= 0 else None])
            held += len(pieces[-1])
            if held > self._most:
                raise TooLong
            if end >= 0:
                self._at = end + 1
                is_over = False
            else:
                is_over = not self._next()
                if not is_over:
                    continue
            line = b"".join(pieces)
            if line.strip():
                return line
            if is_over:
                return None
            pieces, held = [], 0

    def take(self, count: int) -> bytes:
        """So many bytes."""
        if count > self._most:
            raise TooLong
        pieces: list[bytes] = []
        while count:
            piece = self._chunk[self._at : self._at + count]
            self._at += len(piece)
            count -= len(piece)
            pieces.append(piece)
            if count and not self._next():
                raise Torn
        return b"".join(pieces)

    def _next(self) -> bool:
        chunk = next(self._chunks, None)
        self._chunk, self._at = chunk or b"", 0
        return chunk is not None


def opened(answer: dict[str, Any], stream: Stream) -> dict[str, Any] | None:
    """The answer with the columns behind its line; None if these are not what the line says."""
    size = answer.pop("bytes")
    if not _is_count(size):
        raise Torn
    data = stream.take(size)
    rows, integers, histograms = (answer.pop(name, None) for name in ("rows", "integers", "histograms"))
    columns = answer.get("columns")
    if not (_is_count(rows) and _are_names(integers) and _are_names(histograms) and isinstance(columns, dict)):
        return None
    shape = (len(integers) + len(histograms), rows)
    start = shape[0] * rows * NUMBER.itemsize
    if start > size or (size - start) % PAIR.itemsize:
        return None
    numbers = np.frombuffer(data, NUMBER, start // NUMBER.itemsize).reshape(shape) if start else np.zeros(shape, NUMBER)
    pairs = np.frombuffer(data, PAIR, offset=start) if start < size else np.zeros(0, PAIR)
    lengths = numbers[len(integers) :]
    if ((lengths < 0) | (lengths > len(pairs))).any():
        return None
    stops = np.cumsum([0, *lengths.sum(axis=1)]).tolist()
    columns |= dict(zip(integers, numbers, strict=False))
    for number, name in enumerate(histograms):
        columns[name] = Cells(lengths[number], pairs[stops[number] : stops[number + 1]])
    return answer if stops[-1] == len(pairs) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
