"""Sample rows as packed bytes: one database row per group and slice, because a driver pays per row and per cell.

Every aggregate of one statement sees the rows in the same order, so position i of each packed column is one sample
row. NumPy then adds them up by owner: the cell (row x bucket) of the answer that a sample belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from cstor.metrics.columns import BASES
from cstor.metrics.histogram import PAIR, Cells, merge
from monitors.series.slices import Slice
from monitors.series.tiers import table_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = dict[str, "Floats | Cells"]
ABSENT = -1


@dataclass(frozen=True)
class Part:
    """The samples of one group (or total) in one slice, on one node or on all."""

    monitor_id: int
    group_id: int
    node_id: int
    times: Ints
    columns: Columns


def fetch(
    piece: Slice,
    bases: Sequence[str],
    groups: Sequence[tuple[int, int]],
    node_ids: Sequence[int] = (),
    per_node: bool = False,
) -> list[Part]:
    """Samples of these (monitor, group id) pairs in the slice; `per_node` keeps the nodes apart."""
    if not groups:
        return []
    # Aggregated inside the lateral part, so that each group is one walk along the primary key, never a scan of all.
    sql = f"""
        SELECT wanted.monitor_id, wanted.group_id, found.*
        FROM unnest(%(monitors)s::int[], %(groups)s::bigint[]) AS wanted(monitor_id, group_id)
        CROSS JOIN LATERAL (
          SELECT {"s.node_id" if per_node else "0"}, {_packed(bases)}
          FROM {table_of(piece.tier)} s
          WHERE s.monitor_id = wanted.monitor_id AND s.group_id = wanted.group_id
            AND s.t >= %(start)s AND s.t < %(end)s {"AND s.node_id = ANY(%(nodes)s)" if node_ids else ""}
          {"GROUP BY s.node_id" if per_node else "HAVING count(*) > 0"}) found"""
    monitors, ids = zip(*groups, strict=True)
    params = {"monitors": list(monitors), "groups": list(ids), "nodes": list(node_ids)}
    with connection.cursor() as cursor:
        cursor.execute(sql, params | {"start": moment(piece.start), "end": moment(piece.end)})
        return [_part(bases, row) for row in cursor.fetchall()]


def _packed(bases: Sequence[str]) -> str:
    columns = ["string_agg(int8send(extract(epoch FROM t)::bigint), ''::bytea)"]
    for key in bases:
        if BASES[key].kind == "histogram":
            columns.append(f"string_agg({key}, ''::bytea)")
            columns.append(f"string_agg(int4send(coalesce(length({key}), 0)), ''::bytea)")
        else:
            columns.append(f"string_agg(int8send(coalesce({key}, {ABSENT})), ''::bytea)")
    return ", ".join(columns)


def _part(bases: Sequence[str], row: tuple[Any, ...]) -> Part:
    values = iter(row[4:])
    columns: Columns = {}
    for key in bases:
        if BASES[key].kind == "histogram":
            pairs, sizes = next(values), np.frombuffer(next(values), dtype=">i4")
            columns[key] = Cells(sizes.astype(np.int64) // PAIR.itemsize, np.frombuffer(pairs or b"", dtype=PAIR))
        else:
            packed = np.frombuffer(next(values), dtype=">i8").astype(np.float64)
            columns[key] = np.where(packed == ABSENT, np.nan, packed)
    return Part(row[0], row[1], row[2], np.frombuffer(row[3], dtype=">i8").astype(np.int64), columns)


def merged(bases: Sequence[str], parts: Sequence[Part], owners: Sequence[Ints], n: int) -> Columns:
    """Columns of `n` cells out of all parts; `owners` has the cell of each sample of each part."""
    owner = np.concatenate([np.zeros(0, dtype=np.int64), *owners])
    columns: Columns = {}
    for key in bases:
        if BASES[key].kind == "histogram":
            cells = [part.columns[key] for part in parts]
            lengths = np.concatenate([np.zeros(0, dtype=np.int64), *(cell.lengths for cell in cells)])  # type: ignore[union-attr]
            pairs = np.concatenate([np.zeros(0, dtype=PAIR), *(cell.pairs for cell in cells)])  # type: ignore[union-attr]
            columns[key] = Cells(lengths, pairs)
        else:
            columns[key] = np.concatenate([np.zeros(0), *(part.columns[key] for part in parts)])
    return folded(columns, owner, n)


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
