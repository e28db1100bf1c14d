"""Columns of an answer -> lines of COPY text. Pure; the format is that of PostgreSQL's COPY (TEXT)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from operator import itemgetter

from cstor.metrics.columns import HISTOGRAMS, SCALARS
from monitors.pulls.answer import Histogram, Rows
from monitors.series.tiers import UTC

NULL = "\\N"
HEX_PER_PAIR = 8
KEY_COLUMNS = ("monitor_id", "group_id", "t", "node_id")


def columns_of(answers: Iterable[Rows]) -> list[str]:
    """The base columns that any of the answers has: the others stay NULL without being named."""
    present = {key for rows in answers for key in (*rows.scalars, *rows.histograms)}
    return [base.key for base in (*SCALARS, *HISTOGRAMS) if base.key in present]


def lines(rows: Rows, columns: Sequence[str], monitor_id: int, node_id: int) -> Iterator[str]:
    """One line per row, sorted by group then time so that a series lies on few pages."""
    texts = [_texts(rows, column) for column in columns]
    # Columns that only other answers have are endless runs of NULL: the shortest, group and t, ends them.
    for group, t, *values in sorted(zip(rows.group, rows.t, *texts, strict=False), key=itemgetter(0, 1)):
        yield "\t".join((str(monitor_id), str(group), moment(t), str(node_id), *values)) + "\n"


def _texts(rows: Rows, column: str) -> Iterable[str]:
    scalar = rows.scalars.get(column)
    if scalar is not None:
        return [str(value) if value is not None else NULL for value in scalar]
    histogram = rows.histograms.get(column)
    return repeat(NULL) if histogram is None else _cells(histogram)


def _cells(histogram: Histogram) -> list[str]:
    digits, start, out = histogram.pairs.hex(), 0, []
    for size in histogram.lengths:
        stop = start + size * HEX_PER_PAIR
        out.append("\\\\x" + digits[start:stop] if size else NULL)
        start = stop
    return out


@lru_cache(maxsize=100_000)
def moment(t: int) -> str:
    """A second as PostgreSQL reads it."""
    return dt.datetime.fromtimestamp(t, UTC).isoformat(sep=" ")
