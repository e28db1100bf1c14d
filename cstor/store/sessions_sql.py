"""Sessions in memory as SQL sees them: the same columns as in the files of sessions/, over live logs."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np

from cstor.buckets.second import OUTCOMES
from cstor.metrics.registry import COUNTERS, HISTOGRAMS
from cstor.store import address
from cstor.store.grouping import Ints, group_rows

SESSION_PARTS = ("count", "sum", "min", "max", "p50", "p95", "p99")
SESSION_ID_BITS = 20  # a part's sequence above, the row within below
_KEYS = (
    "c.ip AS client_ip, s.ip AS server_ip, c.addr AS client_addr, s.addr AS server_addr, server_port, protocol, "
    "nullif(vni, -1) AS vni, nullif(vlan, -1) AS vlan, is_copy, is_other"
)
_JOINS = "LEFT JOIN address c ON c.id = r.client LEFT JOIN address s ON s.id = r.server"


def session_ids(sequence: int, count: int) -> Ints:
    """Ids of a part's sessions in the order of their coming: the same while they are live and when they are filed."""
    return (sequence << SESSION_ID_BITS) + np.arange(count, dtype=np.int64)


def sessions_query(connection: duckdb.DuckDBPyConnection, rows: np.ndarray, ids: Ints) -> str:
    """Register sessions with a connection; the query that reads them as they stand in files."""
    table: dict[str, Any] = {"id": ids, **_keys(connection, rows)}
    for name in ("start_ns", "end_ns", "client_port"):
        table[name] = np.ascontiguousarray(rows[name])
    table["role_guessed"] = rows["role_guessed"].astype(bool)
    table["outcome"] = np.array(OUTCOMES, object)[rows["outcome"]]
    table["history"] = np.array([text.decode("ascii", "replace") for text in rows["history"].tolist()], object)
    columns = ["r.id AS id", "start_ns", "end_ns", _KEYS, "client_port", "role_guessed", "outcome", "history"]
    for name, absent in session_columns():
        table[name] = np.ascontiguousarray(rows[name])
        if (table[name] != absent).any():
            columns.append(f'nullif("{name}", {absent}) AS "{name}"')
    connection.register("r", table)
    return f"SELECT {', '.join(columns)} FROM r {_JOINS}"


def session_columns() -> list[tuple[str, int]]:
    """Counters and timings of a session, with the number that stands for "absent"."""
    counters = [(base.key, 0 if base.kind == "sum" else -1) for base in COUNTERS]
    timings = [(f"{base.key}_{part}", 0 if part == "count" else -1) for base in HISTOGRAMS for part in SESSION_PARTS]
    return counters + timings


def _keys(connection: duckdb.DuckDBPyConnection, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Key columns; addresses as numbers into the table `address`, so that each is made into text once."""
    n = len(rows)
    ends = np.empty((2 * n, 2), np.int64)
    for column, half in enumerate(("hi", "lo")):
        ends[:n, column], ends[n:, column] = rows[f"client_{half}"], rows[f"server_{half}"]
    groups = group_rows(ends)
    _register_addresses(connection, ends[groups.first])
    number = groups.number.astype(np.int32)
    out = {"client": number[:n], "server": number[n:]}
    for name, kind in (("server_port", "i4"), ("vni", "i4"), ("protocol", "i2"), ("vlan", "i2")):
        out[name] = rows[name].astype(kind)
    return out | {"is_copy": rows["is_copy"].astype(bool), "is_other": np.zeros(n, bool)}


def _register_addresses(connection: duckdb.DuckDBPyConnection, ends: Ints) -> None:
    raw = address.to_bytes(ends[:, 0], ends[:, 1])
    columns = {
        "id": np.arange(len(raw), dtype=np.int32),
        "ip": np.array([address.to_text(one) for one in raw], object),
        "addr": np.array([*raw, None], object)[:-1],
    }
    connection.register("address", columns)
