"""What groups rank by: their sums over slices, as arrays. Those of coarse tiers are remembered for a few minutes.

A slice of a coarse tier is clean, so its sums stay what they are unless an old hour is pulled again. Whoever draws the
same day again and again, as pages do, adds up only what is new. They decide which groups are shown, in which order;
the numbers shown are read each time.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from django.db import connection

from monitors.series.packed import COPY_HEAD, Floats, Ints, moment
from monitors.series.slices import Slice
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP, table_of

COARSE_S = 3600
REMEMBERED_S = 300.0
MOST = 64
# A row of a binary COPY of three columns that are never NULL: number of fields, then each with its length.
ROW = np.dtype(
    [
        *(("fields", ">i2"), ("m_length", ">i4"), ("monitor", ">i4")),
        *(("g_length", ">i4"), ("group", ">i8"), ("s_length", ">i4"), ("sum", ">f8")),
    ]
)
END_BYTES = 2

Key = tuple[tuple[int, ...], Slice, tuple[str, ...], tuple[int, ...]]


class Sums(NamedTuple):
    """One entry per group: its monitor, its number, its sum."""

    monitors: Ints
    groups: Ints
    sums: Floats


_remembered: OrderedDict[Key, tuple[float, Sums]] = OrderedDict()


def largest(
    slices: Mapping[tuple[int, ...], Sequence[Slice]], order: Sequence[str], limit: int, node_ids: Sequence[int]
) -> Sums:
    """The `limit` groups with the greatest sums of `order` over all slices, the greatest first."""
    found = [_of_slice(ids, piece, order, node_ids) for ids, pieces in slices.items() for piece in pieces]
    monitors, groups, sums = (np.concatenate(column) for column in zip(*found, strict=True))
    by_group = np.lexsort((groups, monitors))
    monitors, groups, sums = monitors[by_group], groups[by_group], sums[by_group]
    starts = np.flatnonzero(np.r_[True, (groups[1:] != groups[:-1]) | (monitors[1:] != monitors[:-1])])
    if len(groups) == 0:
        return Sums(monitors, groups, sums)
    monitors, groups, sums = monitors[starts], groups[starts], np.add.reduceat(sums, starts)
    first = np.argsort(-sums, kind="stable")[:limit]
    return Sums(monitors[first], groups[first], sums[first])


def select(table: str, order: Sequence[str], ids: str, start: str, end: str, nodes: str) -> str:
    """SQL of what each row of these monitors in [start, end) counts; the words are placeholders."""
    ranked = " + ".join(f"coalesce({key}, 0)" for key in order) or "0"
    only = f"AND node_id = ANY({nodes})" if nodes else ""
    return f"""SELECT monitor_id, group_id, {ranked} AS rank FROM {table}
        WHERE monitor_id = ANY({ids}) AND t >= {start} AND t < {end} {only}"""


def forget() -> None:
    """Drop what this process remembers; the database is asked again."""
    _remembered.clear()


def _of_slice(ids: tuple[int, ...], piece: Slice, order: Sequence[str], node_ids: Sequence[int]) -> Sums:
    key, now = (ids, piece, tuple(order), tuple(node_ids)), time.monotonic()
    if piece.tier < COARSE_S:
        return _added_up(*key)
    known = _remembered.pop(key, None)
    if known is None or now - known[0] > REMEMBERED_S:
        known = (now, _added_up(*key))
    _remembered[key] = known
    while len(_remembered) > MOST:
        _remembered.popitem(last=False)
    return known[1]


def _added_up(ids: tuple[int, ...], piece: Slice, order: tuple[str, ...], node_ids: tuple[int, ...]) -> Sums:
    words = [list(ids), moment(piece.start), moment(piece.end), *([list(node_ids)] if node_ids else [])]
    rows = select(table_of(piece.tier), order, "%s", "%s", "%s", "%s" if node_ids else "")
    sql = f"""COPY (SELECT monitor_id, group_id, sum(rank)::float8 FROM ({rows}) s GROUP BY 1, 2
        HAVING group_id NOT IN ({TOTAL_GROUP}, {OTHER_GROUP})) TO STDOUT (FORMAT binary)"""
    answer = BytesIO()
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(sql, words).decode(), answer)
    found = np.frombuffer(answer.getvalue()[COPY_HEAD:-END_BYTES], dtype=ROW)
    return Sums(found["monitor"].astype(np.int64), found["group"].astype(np.int64), found["sum"].astype(np.float64))
