"""Reads sessions: filter, range, order, pages. One row of Parquet or of a live log is one connection.

A session belongs to a range if it overlaps it. Pages go by a cursor over (ranked value, id): what is added meanwhile
moves nothing that was already shown.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from cstor.metrics.registry import BASES, METRICS
from cstor.store import duck
from cstor.store.layout import SECOND_NS
from cstor.store.live import LiveTail
from cstor.store.query import QueryError
from cstor.store.sessions_sql import session_ids, sessions_query
from cstor.store.snapshot import SessionSources, Snapshot, take_snapshot
from wire.filters.grammar import Expression, parse
from wire.filters.sql import SESSIONS, where

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
ATTEMPTS = 5
FOREVER_S = 1 << 33
_TIMES = {"start": "start_ns", "end": "end_ns", "duration": "end_ns - start_ns"}


@dataclass(frozen=True)
class SessionQuery:
    """A checked question; `order` is SQL over the columns, greatest first unless `ascending`."""

    text: str
    filter: Expression
    start_ns: int
    end_ns: int
    order: str
    ascending: bool
    limit: int
    after: tuple[int, int] | None  # ranked value and id of the last row of the page before


@dataclass(frozen=True)
class Page:
    """Rows as dictionaries of the columns that are there; `cursor` leads to the next page, None at the end."""

    rows: list[dict[str, Any]]
    cursor: str | None
    snapshot: Snapshot


def parse_session_query(raw: Mapping[str, Any]) -> SessionQuery:
    """Check a question; QueryError or FilterError names what is wrong."""
    text = str(raw.get("filter") or "")
    order = str(raw.get("order") or "start")
    name, _, direction = order.removeprefix("-").partition(":")
    if direction not in ("", "asc", "desc"):
        raise QueryError(f"'order' is a name, or name:asc, not {order!r}")
    after = _read_cursor(raw.get("cursor"), order)
    limit = _limit(raw.get("limit"))
    start_ns, end_ns = (raw.get("start_ns"), raw.get("end_ns"))
    return SessionQuery(
        text,
        parse(text),
        0 if start_ns is None else start_ns,
        FOREVER_S * SECOND_NS if end_ns is None else end_ns,
        name,
        direction == "asc",
        limit,
        after,
    )


class SessionReader:
    """Reads one store; threads may share it."""

    def __init__(self, root: Path, tail: LiveTail | None = None) -> None:
        self.root = root
        self.tail = tail or LiveTail(root)
        self._connection = duck.connect()
        self._lock = threading.Lock()

    def page(self, raw: Mapping[str, Any]) -> Page:
        """One page of sessions; QueryError, FilterError."""
        query = parse_session_query(raw)
        for attempt in range(ATTEMPTS):
            snapshot = take_snapshot(self.root, self.tail)
            sources = snapshot.sessions(query.start_ns // SECOND_NS, -(-query.end_ns // SECOND_NS))
            try:
                with self._lock:
                    rows = self._rows(query, sources)
                break
            except duckdb.IOException:
                if attempt == ATTEMPTS - 1:
                    raise
        order = str(raw.get("order") or "start")
        cursor = None
        if len(rows) > query.limit:
            rows = rows[: query.limit]
            cursor = _write_cursor(order, rows[-1]) if rows else None
        return Page(rows, cursor, snapshot)

    def _rows(self, query: SessionQuery, sources: SessionSources) -> list[dict[str, Any]]:
        parts = [self._live_sql(sources)] if sources.batches else []
        if sources.files:
            names = ", ".join(duck.quoted(str(path)) for path in sources.files)
            parts.append(f"SELECT * FROM read_parquet([{names}], union_by_name = true, hive_partitioning = false)")
        if not parts:
            return []
        source = " UNION ALL BY NAME ".join(f"({part})" for part in parts)
        present = {row[0] for row in self._connection.execute(f"DESCRIBE {source}").fetchall()}
        found = where(query.filter, SESSIONS, query.text)
        ranked = order_sql(query.order, present)
        tests = [f"end_ns >= {query.start_ns}", f"start_ns < {query.end_ns}", found.sql]
        if query.after:
            value, last_id = query.after
            tests.append(f"({ranked}, id) {'>' if query.ascending else '<'} ({value}, {last_id})")
        way = "ASC" if query.ascending else "DESC"
        sql = (
            f"SELECT *, {ranked} AS _ranked FROM ({source}) WHERE {' AND '.join(tests)} "
            f"ORDER BY _ranked {way}, id {way} LIMIT {query.limit + 1}"
        )
        answer = self._connection.execute(sql, list(found.parameters))
        names_of = [column[0] for column in answer.description or []]
        return [dict(zip(names_of, row, strict=True)) for row in answer.fetchall()]

    def _live_sql(self, sources: SessionSources) -> str:
        rows = np.concatenate([batch.rows for _, batch in sources.batches])
        ids = []
        counts: dict[int, int] = {}
        for sequence, batch in sources.batches:
            seen = counts.get(sequence, 0)
            ids.append(session_ids(sequence, seen + len(batch.rows))[seen:])
            counts[sequence] = seen + len(batch.rows)
        return sessions_query(self._connection, rows, np.concatenate(ids))


def order_sql(name: str, present: set[str]) -> str:
    """What sessions are ranked by, as an integer that is never NULL; QueryError for unknown names."""
    if name in _TIMES:
        return f"({_TIMES[name]})"
    metric = METRICS.get(name)
    if metric and metric.kind == "histogram":
        terms = {f"{next(iter(metric.terms))}_max": 1}
    elif metric and metric.kind in ("counter", "extreme"):
        terms = metric.terms
    elif name in BASES and BASES[name].kind != "histogram":
        terms = {name: 1}
    else:
        raise QueryError(f"sessions cannot be ordered by {name!r}; name start, end, duration, a counter or a timing")
    columns = [f'{weight} * coalesce("{key}", 0)' for key, weight in terms.items() if key in present]
    return f"({' + '.join(columns)})::BIGINT" if columns else "0::BIGINT"


def _limit(value: Any) -> int:
    if value is None or value == "":
        return DEFAULT_LIMIT
    try:
        limit = int(value)
    except (TypeError, ValueError):
        limit = 0
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryError(f"'limit' must be a whole number of 1 to {MAX_LIMIT}")
    return limit


def _write_cursor(order: str, row: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, row["_ranked"], row["id"]]).encode()).decode().rstrip("=")


def _read_cursor(text: Any, order: str) -> tuple[int, int] | None:
    if not text:
        return None
    try:
        padded = str(text) + "=" * (-len(str(text)) % 4)
        made_for, value, last_id = json.loads(base64.urlsafe_b64decode(padded))
        if made_for != order:
            raise QueryError(f"this cursor belongs to order {made_for!r}, not to {order!r}")
        return int(value), int(last_id)
    except QueryError:
        raise
    except (TypeError, ValueError):
        raise QueryError("'cursor' is not one that this node gave") from None
