"""Links and node counters answered: files and rows of memory in one SQL, then ranked and folded as series are.

They are small (a few rows per second), so that everything is grouped first and folded afterwards.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import duckdb
import numpy as np

from cstor.metrics.registry import KINDS
from cstor.store import duck
from cstor.store.grouping import Ints
from cstor.store.merge import OTHER, Kept, Partial, Totals, choose
from cstor.store.query import MAX_ROWS, TEXT_KEYS, SeriesQuery, has_filter
from cstor.store.rows import absent_value
from cstor.store.snapshot import TableSources
from cstor.store.tables import COLUMNS, DTYPES, as_columns
from wire.filters.sql import SERIES, where


class TableAnswer(NamedTuple):
    """Rows per bucket and kept group, the groups, and the words that texts among their keys are numbers of."""

    partial: Partial
    kept: Kept | None
    groups: int
    words: list[str]


def answer_table(query: SeriesQuery, sources: TableSources, connection: duckdb.DuckDBPyConnection) -> TableAnswer:
    """The rows of one question; the connection is used by one thread at a time."""
    found = _grouped(query, sources, connection)
    words, keys = _keys(query, found)
    groups, number = np.unique(keys, axis=0, return_inverse=True) if query.by else (keys[:1], np.zeros(len(keys), int))
    number = number.reshape(-1).astype(np.int64)
    scalars = {key: np.asarray(found[key], np.int64) for key in query.scalars}
    partial = Partial(np.asarray(found["b"], np.int64), number, scalars, np.zeros((0, 5), np.int64))
    if not query.by:
        return TableAnswer(partial, None, 1, words)
    ranked = np.zeros((len(groups), len(query.order)), np.int64)
    for column in range(len(query.order)):
        np.add.at(ranked[:, column], number, np.asarray(found[f"o{column}"], np.int64))
    kept = _chosen(query, Totals(groups.reshape(len(groups), len(query.by)), ranked))
    place = {tuple(row): at for at, row in enumerate(kept.keys.tolist())}
    kept_number = np.array([place.get(tuple(row), OTHER) for row in groups.tolist()], np.int64)
    return TableAnswer(partial._replace(group=kept_number[number]), kept, len(groups), words)


def _chosen(query: SeriesQuery, totals: Totals) -> Kept:
    """All groups where they fit, the best first: a level or a rare counter is no less for not being ranked."""
    if len(totals.keys) <= query.limit:
        order = np.lexsort((*totals.keys.T[::-1], *(-totals.ranked.T[::-1])))
        return Kept(totals.keys[order], [0] * len(query.order))
    return choose(totals, query.limit, query.keep)


def _grouped(query: SeriesQuery, sources: TableSources, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    is_node = query.subject == "node"
    names = dict.fromkeys([*query.scalars, *(key for ranking in query.order for key, _ in ranking.terms)])
    reduced = _counter if is_node else _column
    columns = [f"{reduced(key)} AS {duck.quoted_name(key)}" for key in query.scalars]
    for column, ranking in enumerate(query.order):
        terms = " + ".join(f"{weight} * {reduced(key)}" for key, weight in ranking.terms)
        columns.append(f"({terms})::BIGINT AS o{column}")
    keys = [f"{_key(key)} AS k{at}" for at, key in enumerate(query.by)]
    grouped = ", ".join(["b", *(f"k{at}" for at in range(len(query.by)))])
    condition = where(query.filter, SERIES, query.text)
    tests = [f"t >= {query.start} AND t < {query.end}", condition.sql]
    having = "TRUE"
    if is_node:
        tests.append(f"name IN ({', '.join(map(duck.quoted, names))})")
        having = f"bool_or(name IN ({', '.join(map(duck.quoted, query.scalars))}))"  # not for the ranking alone
    elif query.by or has_filter(query):
        tests.append("NOT is_link")
    selected = ", ".join([f"t - t % {query.step} AS b", *keys, *columns])
    sql = (
        f"SELECT {selected} FROM ({_rows(query, sources, connection)}) "
        f"WHERE {' AND '.join(tests)} GROUP BY {grouped} HAVING {having} ORDER BY {grouped} LIMIT {MAX_ROWS + 1}"
    )
    try:
        return connection.execute(sql, list(condition.parameters)).fetchnumpy()
    finally:
        connection.unregister("rows_of_memory")


def _rows(query: SeriesQuery, sources: TableSources, connection: duckdb.DuckDBPyConnection) -> str:
    """Files and memory united by name, since files of other versions may have other columns."""
    dtype = DTYPES[query.subject]
    batches = [rows[(rows["t"] >= query.start) & (rows["t"] < query.end)] for rows in sources.batches]
    connection.register("rows_of_memory", as_columns(np.concatenate([*batches, np.zeros(0, dtype)])))
    rows = f"SELECT {COLUMNS[query.subject]} FROM rows_of_memory"
    if sources.files:
        names = ", ".join(duck.quoted(str(path)) for path in sources.files)
        files = f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"
        rows += f" UNION ALL BY NAME SELECT * FROM {files}"
    return rows


def _column(key: str) -> str:
    return f"coalesce({KINDS[key]}({key}), {absent_value(key)})::BIGINT"


def _counter(key: str) -> str:
    """A counter of the node: rows are long, one per name."""
    return f"coalesce({KINDS[key]}(value) FILTER (WHERE name = {duck.quoted(key)}), {absent_value(key)})::BIGINT"


def _key(key: str) -> str:
    return f"coalesce({key}, '')" if key in TEXT_KEYS else f"coalesce({key}, -1)::BIGINT"


def _keys(query: SeriesQuery, found: dict[str, Any]) -> tuple[list[str], Ints]:
    """Key columns as numbers; texts as numbers of words."""
    words: dict[str, int] = {}
    columns = []
    for at, key in enumerate(query.by):
        values = found[f"k{at}"]
        if key in TEXT_KEYS:
            values = [words.setdefault(str(text), len(words)) for text in values]
        columns.append(np.asarray(values, np.int64))
    count = len(found["b"])
    return list(words), np.stack(columns, axis=1) if columns else np.zeros((count, 0), np.int64)
