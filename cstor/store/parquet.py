"""Rows and sessions into Parquet files that any SQL engine reads: series/, latency/ and sessions/ of a store.

Columns that are empty throughout are left out (readers unite by name), absent values are NULL. Addresses stand as text
and as 16 bytes, for ranges. Each file is written under a hidden name and renamed when it is whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from cstor.buckets.second import OUTCOMES
from cstor.metrics.registry import COUNTERS, HISTOGRAMS
from cstor.store import address, duck
from cstor.store.grouping import Ints, group_rows
from cstor.store.layout import FORMAT_VERSION
from cstor.store.rows import Rows, absent_value

_KEYS = (
    "c.ip AS client_ip, s.ip AS server_ip, c.addr AS client_addr, s.addr AS server_addr, "
    "CASE WHEN is_other THEN NULL ELSE server_port END AS server_port, "
    "CASE WHEN is_other THEN NULL ELSE protocol END AS protocol, "
    "nullif(vni, -1) AS vni, nullif(vlan, -1) AS vlan, is_copy, is_other"
)
_JOINS = "LEFT JOIN address c ON c.id = r.client LEFT JOIN address s ON s.id = r.server"
SESSION_PARTS = ("count", "sum", "min", "max", "p50", "p95", "p99")


class ParquetWriter:
    """Writes parts of a store. Not for several threads at once."""

    def __init__(self) -> None:
        self._connection = duck.connect(duck.WRITE_MEMORY_MB)

    def close(self) -> None:
        self._connection.close()

    def series(self, rows: Rows, path: Path) -> None:
        """One row per (second, conversation) with its scalar bases, in the order of `rows`."""
        bases = rows.present()
        table = {"t": rows.t, **_keys(self._connection, rows.keys)} | {key: rows.column(key) for key in bases}
        columns = [f'nullif("{key}", {absent_value(key)}) AS "{key}"' for key in bases]
        self._connection.register("r", table)
        self._write(f"SELECT t, {', '.join([_KEYS, *columns])} FROM r {_JOINS}", "series", path)

    def latency(self, rows: Rows, path: Path) -> bool:
        """One row per (second, conversation, timing, bin), by time and timing; False and no file if none was timed."""
        bins = rows.bins
        if not len(bins):
            return False
        # Sorted here, on integers: by SQL it takes as long as all the rest.
        order = np.argsort((rows.t[bins["row"]] - rows.t.min()) * len(HISTOGRAMS) + bins["metric"], kind="stable")
        bins = bins[order]
        owners = bins["row"]
        table = {name: column[owners] for name, column in _keys(self._connection, rows.keys).items()}
        table |= {"t": rows.t[owners], "metric_id": bins["metric"], "bin": bins["bin"], "n": bins["n"]}
        names = np.array([base.key for base in HISTOGRAMS], object)
        self._connection.register("names", {"id": np.arange(len(names), dtype=np.int16), "metric": names})
        self._connection.register("r", table)
        columns = f"t, {_KEYS}, names.metric AS metric, bin, n"
        joins = f"{_JOINS} JOIN names ON names.id = r.metric_id"
        self._write(f"SELECT {columns} FROM r {joins}", "latency", path)
        return True

    def sessions(self, rows: np.ndarray, ids: Ints, path: Path) -> None:
        """One row per session."""
        self._write(sessions_query(self._connection, rows, ids), "sessions", path)

    def _write(self, query: str, dataset: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.tmp")
        copy_parquet(self._connection, query, dataset, hidden)
        hidden.replace(path)
        for name in ("r", "address"):
            self._connection.unregister(name)


def copy_parquet(connection: duckdb.DuckDBPyConnection, query: str, dataset: str, path: Path) -> None:
    """Write the answer of a query as a file of this store's format."""
    metadata = f"{{cclear_dataset: '{dataset}', cclear_format: '{FORMAT_VERSION}'}}"
    connection.execute(
        f"COPY ({query}) TO {duck.quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {metadata})"
    )


def sessions_query(connection: duckdb.DuckDBPyConnection, rows: np.ndarray, ids: Ints) -> str:
    """Register sessions with a connection; the query that reads them as they stand in files."""
    table: dict[str, Any] = {"id": ids, **_keys(connection, rows)}
    for name in ("start_ns", "end_ns", "client_port"):
        table[name] = np.ascontiguousarray(rows[name])
    table["role_guessed"] = rows["role_guessed"].astype(bool)
    table["outcome"] = np.array(OUTCOMES, object)[rows["outcome"]]
    table["history"] = np.array([text.decode("ascii", "replace") for text in rows["history"].tolist()], object)
    columns = ["r.id AS id", "start_ns", "end_ns", _KEYS, "client_port", "role_guessed", "outcome", "history"]
    for name, absent in _session_columns(rows):
        table[name] = np.ascontiguousarray(rows[name])
        columns.append(f'nullif("{name}", {absent}) AS "{name}"')
    connection.register("r", table)
    return f"SELECT {', '.join(columns)} FROM r {_JOINS}"


def _session_columns(rows: np.ndarray) -> list[tuple[str, int]]:
    """Counters and timings that any of the sessions has, with the number that stands for "absent"."""
    out = []
    for base in COUNTERS:
        absent = 0 if base.kind == "sum" else -1
        if (rows[base.key] != absent).any():
            out.append((base.key, absent))
    for base in HISTOGRAMS:
        if (rows[f"{base.key}_count"] > 0).any():
            out += [(f"{base.key}_{part}", 0 if part == "count" else -1) for part in SESSION_PARTS]
    return out


def _keys(connection: duckdb.DuckDBPyConnection, keys: np.ndarray) -> dict[str, np.ndarray]:
    """Key columns; addresses as numbers into the table `address`, so that each is made into text once."""
    n = len(keys)
    is_other = keys["is_other"].astype(bool) if "is_other" in (keys.dtype.names or ()) else np.zeros(n, bool)
    ends = np.empty((2 * n, 2), np.int64)
    for column, half in enumerate(("hi", "lo")):
        ends[:n, column], ends[n:, column] = keys[f"client_{half}"], keys[f"server_{half}"]
    groups = group_rows(ends)
    _register_addresses(connection, ends[groups.first])
    number = groups.number.astype(np.int32)
    out = {"client": np.where(is_other, -1, number[:n]), "server": np.where(is_other, -1, number[n:])}
    for name in ("server_port", "vni"):
        out[name] = keys[name].astype(np.int32)
    for name in ("protocol", "vlan"):
        out[name] = keys[name].astype(np.int16)
    return out | {"is_copy": keys["is_copy"].astype(bool), "is_other": is_other}


def _register_addresses(connection: duckdb.DuckDBPyConnection, ends: Ints) -> None:
    raw = address.to_bytes(ends[:, 0], ends[:, 1])
    columns = {
        "id": np.arange(len(raw), dtype=np.int32),
        "ip": np.array([address.to_text(one) for one in raw], object),
        "addr": np.array([*raw, None], object)[:-1],
    }
    connection.register("address", columns)
