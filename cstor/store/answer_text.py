"""An answer's JSON, as bytes: the same as json.dumps of `answer.as_json`, its numbers written by kernels.

Answers to monitors have a hundred columns; turning each of their numbers into a Python object and that into text took
longer than finding them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cstor.metrics.histogram import PAIR, Cells
from cstor.store.answer import head_of, key_texts
from cstor.store.digits import DIGITS, is_all, write_integers, write_pairs
from cstor.store.rows import absent_value
from cstor.store.series import Answer, plan_of

_ESCAPED = {'"', "\\"}
_NEVER = -(1 << 62)  # stands in no column of times and lengths


def as_text(answer: Answer) -> bytes:
    """The whole answer."""
    if answer.query.plan:
        return _dumped(head_of(answer) | {"plan": plan_of(answer)})
    writer = _Writer(answer)
    head = _dumped(head_of(answer) | {"rows": writer.rows, "took_ms": round(answer.took_ms, 1)})
    columns = b",".join(b'"%s":%s' % (name.encode(), text) for name, text in writer.columns())
    return head[:-1] + b',"columns":{' + columns + b"}}"


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _word(value: Any) -> bytes:
    """A key's value; texts of addresses need no escapes."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and not _ESCAPED & set(value):
        return b'"%s"' % value.encode()
    return _dumped(value)


def word_columns(answer: Answer) -> Iterator[tuple[str, bytes]]:
    """The columns that are no numbers: keys, `is_other`, and `is_total` where totals were asked for."""
    groups = answer.rows.group.tolist()
    totals = 0 if answer.totals is None else len(answer.totals.t)

    def column(words: list[bytes], of_totals: bytes) -> bytes:
        return b"[" + b",".join([words[group] for group in groups] + [of_totals] * totals) + b"]"

    for key, texts in key_texts(answer).items():
        # The folded rest is group -1: the last of the words.
        yield key, column([*map(_word, texts), b"null"], b"null")
    yield "is_other", column([b"false"] * len(answer.keys) + [b"true"], b"false")
    if answer.totals is not None:
        yield "is_total", column([b"false"] * (len(answer.keys) + 1), b"true")


class _Writer:
    """Column by column, total rows last."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._parts = [answer.rows] if answer.totals is None else [answer.rows, answer.totals]
        self.rows = sum(len(part.t) for part in self._parts)
        self._out = np.empty(DIGITS * self.rows + 1, np.uint8)

    def columns(self) -> Iterator[tuple[str, bytes]]:
        answer, query = self._answer, self._answer.query
        yield "t", self._integers([part.t for part in self._parts], _NEVER)
        yield from word_columns(answer)
        for base in query.scalars:
            columns, absent = [part.scalars[base] for part in self._parts], absent_value(base)
            if query.packed and all(is_all(column, absent) for column in columns):
                yield base, b"null"
            else:
                yield base, self._integers(columns, absent)
        for base in query.histograms:
            cells = [part.cells[base] for part in self._parts]
            yield base, self._packed(cells) if query.packed else self._lists(cells)

    def _integers(self, columns: Sequence[np.ndarray], absent: int) -> bytes:
        at = 0
        for column in columns:
            at = write_integers(column, absent, self._out, at)
        return b"[" + self._out[: max(at - 1, 0)].tobytes() + b"]"

    def _packed(self, cells: Sequence[Cells]) -> bytes:
        pairs = b"".join(cell.pairs.astype(PAIR, copy=False).tobytes() for cell in cells)
        if not pairs:
            return b"null"
        lengths = self._integers([cell.lengths for cell in cells], _NEVER)
        return b'{"lengths":%s,"pairs":"%s"}' % (lengths, base64.b64encode(pairs))

    def _lists(self, cells: Sequence[Cells]) -> bytes:
        pairs = sum(len(cell.pairs) for cell in cells)
        out = np.empty(2 * DIGITS * pairs + 7 * self.rows, np.uint8)
        at = 0
        for cell in cells:
            at = write_pairs(cell.lengths, cell.bins, cell.counts, out, at)
        return b"[" + out[: max(at - 1, 0)].tobytes() + b"]"
