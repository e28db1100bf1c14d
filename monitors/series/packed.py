"""Sample rows as packed bytes: one database row per group and slice, because a driver pays per row and per cell.

Every aggregate of one statement sees the rows in the same order, so position i of each packed column is one sample
row. They travel by binary COPY, which neither side has to write as text. NumPy then adds them up by owner: the cell
(row x bucket) of the answer that a sample belongs to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from cstor.metrics.columns import BASES
from cstor.metrics.histogram import PAIR, Cells, merge
from monitors.series.slices import Slice
from monitors.series.tiers import table_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = dict[str, "Floats | Cells"]
ABSENT = -1
COPY_HEAD = 19
POSTGRES_EPOCH = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class Part:
    """The samples of one group (or total) in one slice, on one node or on all: `columns` as they travelled, with
    ABSENT for what is; `whole` has the merged bases that are wanted without their times."""

    monitor_id: int
    group_id: int
    node_id: int
    times: Ints
    columns: dict[str, Ints | Cells] = field(default_factory=dict)
    whole: Columns = field(default_factory=dict)


@contextmanager
def read_ahead() -> Iterator[None]:
    """Plans by bitmap: the pages of a group are asked for together, where a walk along the index waits for each in
    turn. Warm it costs nothing, cold it takes a third of the time."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off")
        yield
        cursor.execute("SET LOCAL enable_indexscan = on")


def fetch(
    piece: Slice,
    bases: Sequence[str],
    groups: Sequence[tuple[int, int]],
    node_ids: Sequence[int] = (),
    per_node: bool = False,
    whole: Sequence[str] = (),
) -> list[Part]:
    """Samples of these (monitor, group id) pairs in the slice; `per_node` keeps the nodes apart."""
    if not groups:
        return []
    # Aggregated inside the lateral part, so that each group is looked up in the primary key, never in a scan of all.
    sql = f"""
        COPY (
        SELECT wanted.monitor_id, wanted.group_id, found.*
        FROM unnest(%(monitors)s::int[], %(groups)s::bigint[]) AS wanted(monitor_id, group_id)
        CROSS JOIN LATERAL (
          SELECT {"s.node_id" if per_node else "0"}, {", ".join([*_packed(bases), *_merged(whole)])}
          FROM {table_of(piece.tier)} s
          WHERE s.monitor_id = wanted.monitor_id AND s.group_id = wanted.group_id
            AND s.t >= %(start)s AND s.t < %(end)s {"AND s.node_id = ANY(%(nodes)s)" if node_ids else ""}
          {"GROUP BY s.node_id" if per_node else "HAVING count(*) > 0"}) found
        ) TO STDOUT (FORMAT binary)"""
    monitors, ids = zip(*groups, strict=True)
    params: dict[str, Any] = {"monitors": list(monitors), "groups": list(ids), "nodes": list(node_ids)}
    params |= {"start": moment(piece.start), "end": moment(piece.end)}
    answer = BytesIO()
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(sql, params).decode(), answer)
    return [_part(bases, whole, row) for row in _rows(answer.getbuffer())]


def _packed(bases: Sequence[str]) -> Iterator[str]:
    yield "string_agg(timestamptz_send(t), ''::bytea)"
    for key in bases:
        if BASES[key].kind == "histogram":
            yield f"string_agg({key}, ''::bytea)"
            yield f"string_agg(int4send(coalesce(length({key}), 0)), ''::bytea)"
        else:
            yield f"string_agg(int8send(coalesce({key}, {ABSENT})), ''::bytea)"


def _merged(whole: Sequence[str]) -> Iterator[str]:
    for key in whole:
        kind = BASES[key].kind
        yield f"string_agg({key}, ''::bytea)" if kind == "histogram" else f"{kind}({key})::float8"


def _rows(answer: memoryview) -> Iterator[list[memoryview | None]]:
    """Fields of each row of a binary COPY."""
    at = COPY_HEAD
    while (count := struct.unpack_from(">h", answer, at)[0]) >= 0:
        at += 2
        fields: list[memoryview | None] = []
        for _ in range(count):
            (size,) = struct.unpack_from(">i", answer, at)
            at += 4
            fields.append(answer[at : at + size] if size >= 0 else None)
            at += max(size, 0)
        yield fields


def _part(bases: Sequence[str], whole: Sequence[str], row: Sequence[memoryview | None]) -> Part:
    monitor_id, group_id, node_id = (int.from_bytes(cell or b"", "big", signed=True) for cell in row[:3])
    cells = (cell or b"" for cell in row[3:])
    times = np.frombuffer(next(cells), dtype=">i8").astype(np.int64) // 1_000_000 + POSTGRES_EPOCH
    columns: dict[str, Ints | Cells] = {}
    for key in bases:
        if BASES[key].kind == "histogram":
            pairs = np.frombuffer(next(cells), dtype=PAIR)
            columns[key] = Cells(np.frombuffer(next(cells), dtype=">i4").astype(np.int64) // PAIR.itemsize, pairs)
        else:
            columns[key] = np.frombuffer(next(cells), dtype=">i8")
    merged: Columns = {}
    for key in whole:
        cell = next(cells)
        if BASES[key].kind == "histogram":
            merged[key] = Cells(np.array([len(cell) // PAIR.itemsize]), np.frombuffer(cell, dtype=PAIR))
        else:
            merged[key] = np.frombuffer(cell, dtype=">f8").astype(np.float64) if cell else np.array([np.nan])
    return Part(monitor_id, group_id, node_id, times, columns, merged)


def merged(bases: Sequence[str], parts: Sequence[Part], owners: Sequence[Ints], n: int) -> Columns:
    """Columns of `n` cells out of all parts; `owners` has the cell of each sample of each part."""
    owner = np.concatenate([np.zeros(0, dtype=np.int64), *owners])
    return folded({key: _joined(key, [part.columns[key] for part in parts]) for key in bases}, owner, n)


def merged_whole(bases: Sequence[str], parts: Sequence[Part], rows: Sequence[int], n: int) -> Columns:
    """The bases that were wanted without their times, of `n` groups; `rows` has the group of each part."""
    columns = {key: _joined_whole(key, [part.whole[key] for part in parts]) for key in bases}
    return folded(columns, np.array(rows, dtype=np.int64), n)


def _joined(key: str, columns: Sequence[Ints | Cells]) -> Floats | Cells:
    if BASES[key].kind == "histogram":
        return _joined_cells(columns)  # type: ignore[arg-type]
    values = np.concatenate([np.zeros(0, dtype=np.int64), *columns]).astype(np.float64)  # type: ignore[arg-type]
    values[values == ABSENT] = np.nan
    return values


def _joined_whole(key: str, columns: Sequence[Floats | Cells]) -> Floats | Cells:
    if BASES[key].kind == "histogram":
        return _joined_cells(columns)  # type: ignore[arg-type]
    return np.concatenate([np.zeros(0), *columns])  # type: ignore[arg-type]


def _joined_cells(cells: Sequence[Cells]) -> Cells:
    lengths = np.concatenate([np.zeros(0, dtype=np.int64), *(cell.lengths for cell in cells)])
    return Cells(lengths, np.concatenate([np.zeros(0, dtype=PAIR), *(cell.pairs for cell in cells)]))


def folded(columns: Columns, owner: Ints, n: int) -> Columns:
    """Columns merged into `n` owners: samples into buckets, buckets into one number per group, groups into one."""
    return {
        key: merge(column, owner, n) if isinstance(column, Cells) else _fold(BASES[key].kind, column, owner, n)
        for key, column in columns.items()
    }


def _fold(kind: str, values: Floats, owner: Ints, n: int) -> Floats:
    """Sums added (absent is 0), least or greatest taken (NaN where there is none)."""
    if kind == "sum":
        return np.bincount(owner, weights=np.nan_to_num(values), minlength=n).astype(np.float64)
    given = np.isfinite(values)
    out = np.full(n, np.inf if kind == "min" else -np.inf)
    (np.minimum if kind == "min" else np.maximum).at(out, owner[given], values[given])
    return np.where(np.isfinite(out), out, np.nan)


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
