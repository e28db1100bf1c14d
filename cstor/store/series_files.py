"""Series from Parquet files by DuckDB: ranked first, then folded, so that memory holds groups and answers only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from cstor.metrics.registry import BASES
from cstor.store import address, duck
from cstor.store.grouping import Ints
from cstor.store.merge import OTHER, Kept, Partial, Totals
from cstor.store.query import ADDRESS_KEYS, MAX_ROWS, NET_KEYS, SeriesQuery, has_filter, key_width
from cstor.store.rows import absent_value
from wire.filters.sql import SERIES, Sql, where

# The first bytes of an address as hexadecimal digits: all but the last of an IPv4 one, half of an IPv6 one.
_NET = "left(hex({0}), CASE WHEN starts_with(hex({0}), '00000000000000000000FFFF') THEN 30 ELSE 16 END)"


class FilesSource:
    """Answers one query from files; the connection is used by one thread at a time."""

    def __init__(
        self, query: SeriesQuery, files: list[Path], latency_files: list[Path], connection: duckdb.DuckDBPyConnection
    ) -> None:
        self._query = query
        self._latency_files = latency_files
        self._connection = connection
        self._where = self._condition()
        self._files = _file_list(files)
        self._present = {row[0] for row in self._run(f"DESCRIBE SELECT * FROM {self._files}").fetchall()}

    def totals(self) -> Totals:
        """Ranked totals of each group."""
        by, order = self._query.by, self._query.order
        keys = [f"{_key_sql(key)} AS k{number}" for number, key in enumerate(by)]
        ranked = [f"{self._ranked_sql(ranking.terms)}::BIGINT AS o{number}" for number, ranking in enumerate(order)]
        names = ", ".join(f"k{number}" for number in range(len(by)))
        sql = f"SELECT {', '.join(keys + ranked)} FROM {self._source(self._files)} AND NOT is_other GROUP BY {names}"
        found = self._run(sql, self._where.parameters).fetchnumpy()
        matrix = [_key_matrix(key, found[f"k{number}"]) for number, key in enumerate(by)]
        totals = [np.asarray(found[f"o{number}"], np.int64) for number in range(len(order))]
        return Totals(np.concatenate(matrix, axis=1), np.stack(totals, axis=1))

    def partial(self, kept: Kept | None) -> Partial:
        """Rows per bucket and kept group; `kept` is None where nothing is grouped."""
        group, join = self._group_sql(kept)
        select = [self._reduced_sql(key) for key in self._query.scalars if key in self._present]
        sql = (
            f"SELECT {', '.join([self._bucket_sql(), f'{group} AS g', *select])} FROM {self._source(self._files, join)}"
        )
        found = self._run(f"{sql} GROUP BY b, g LIMIT {MAX_ROWS + 1}", self._where.parameters).fetchnumpy()
        t = np.asarray(found["b"], np.int64)
        absent = {key: np.full(len(t), absent_value(key), np.int64) for key in self._query.scalars}
        scalars = {key: np.asarray(found.get(key, absent[key]), np.int64) for key in self._query.scalars}
        return Partial(t, np.asarray(found["g"], np.int64), scalars, self._bins(group, join))

    def _bins(self, group: str, join: str) -> Ints:
        wanted = self._query.histograms
        if not wanted or not self._latency_files:
            return np.zeros((0, 5), np.int64)
        numbers = " ".join(f"WHEN {duck.quoted(key)} THEN {number}" for number, key in enumerate(wanted))
        names = ", ".join(duck.quoted(key) for key in wanted)
        source = self._source(_file_list(self._latency_files), join)
        sql = (
            f"SELECT {self._bucket_sql()}, {group} AS g, CASE metric {numbers} END AS m, bin, sum(n)::BIGINT AS n "
            f"FROM {source} AND metric IN ({names}) GROUP BY b, g, metric, bin"
        )
        found = self._run(sql, self._where.parameters).fetchnumpy()
        return np.stack([np.asarray(found[name], np.int64) for name in ("b", "g", "m", "bin", "n")], axis=1)

    def _condition(self) -> Sql:
        query = self._query
        found = where(query.filter, SERIES, query.text)
        sql = f"t >= {query.start} AND t < {query.end} AND {found.sql}"
        if has_filter(query):
            sql += " AND NOT is_other"
        if not query.copies:
            sql += " AND NOT is_copy"
        return Sql(sql, found.parameters)

    def _source(self, files: str, join: str = "") -> str:
        """FROM and WHERE. With `host`, each row stands there once for either end."""
        rows = f"(SELECT * FROM {files} WHERE {self._where.sql})"
        if "host" in self._query.by:
            ends = "SELECT unnest([client_addr, server_addr]) AS host_addr, *"
            rows = f"({ends} FROM {rows})"
        return f"{rows} r {join} WHERE TRUE"

    def _bucket_sql(self) -> str:
        step = self._query.step
        return "t AS b" if step == 1 else f"t - t % {step} AS b"

    def _reduced_sql(self, base_key: str) -> str:
        return f'coalesce({BASES[base_key].kind}("{base_key}"), {absent_value(base_key)})::BIGINT AS "{base_key}"'

    def _ranked_sql(self, terms: tuple[tuple[str, int], ...]) -> str:
        sums = [f'{weight} * coalesce(sum("{key}"), 0)' for key, weight in terms if key in self._present]
        return f"({' + '.join(sums)})" if sums else "0"

    def _group_sql(self, kept: Kept | None) -> tuple[str, str]:
        """Number of the group, and the join that finds it among the kept ones."""
        if kept is None:
            return "0", ""
        if not len(kept.keys):
            return str(OTHER), ""
        table: dict[str, Any] = {"g": np.arange(len(kept.keys), dtype=np.int64)}
        column = 0
        for number, key in enumerate(self._query.by):
            width = key_width(key)
            table[f"k{number}"] = _key_values(key, kept.keys[:, column : column + width])
            column += width
        self._connection.register("kept", table)
        tests = [f"{_key_sql(key)} = kept.k{number}" for number, key in enumerate(self._query.by)]
        # Keys of the folded rest are NULL and would read as "no VNI, no VLAN".
        return f"coalesce(kept.g, {OTHER})", f"LEFT JOIN kept ON NOT is_other AND {' AND '.join(tests)}"

    def _run(self, sql: str, parameters: tuple[object, ...] = ()) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, list(parameters))


def _file_list(files: list[Path]) -> str:
    names = ", ".join(duck.quoted(str(path)) for path in files)
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"


def _key_sql(key: str) -> str:
    """A key as it is grouped by; never NULL."""
    if key in NET_KEYS:
        return f"coalesce({_NET.format(f'{key[:-4]}_addr')}, '')"
    if key in ADDRESS_KEYS:
        return f"coalesce({key.removesuffix('_ip')}_addr, ''::BLOB)"
    if key == "is_copy":
        return "is_copy::INTEGER"
    return f"coalesce({key}, -1)::INTEGER"


def _key_matrix(key: str, values: Any) -> Ints:
    """Grouped keys as numbers, as `query.key_numbers` makes them."""
    if key in NET_KEYS:
        return address.from_bytes([bytes.fromhex(text).ljust(16, b"\0") for text in values])
    if key in ADDRESS_KEYS:
        return address.from_bytes(list(values))
    return np.asarray(values, np.int64).reshape(-1, 1)


def _key_values(key: str, numbers: Ints) -> np.ndarray:
    """The way back: numbers of kept groups as `_key_sql` yields them."""
    if key in NET_KEYS:
        raw = address.to_bytes(numbers[:, 0], numbers[:, 1])
        digits = [one.hex().upper()[: 30 if one[:12] == address.V4_PREFIX else 16] for one in raw]
        return np.array(digits, object)
    if key in ADDRESS_KEYS:
        return np.array([*address.to_bytes(numbers[:, 0], numbers[:, 1]), None], object)[:-1]
    return numbers[:, 0].astype(np.int32)
