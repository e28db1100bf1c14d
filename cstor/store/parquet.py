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

KEYS_SQL = (
    "c.ip AS client_ip, s.ip AS server_ip, c.addr AS client_addr, s.addr AS server_addr, "
    "CASE WHEN is_other THEN NULL ELSE server_port END AS server_port, "
    "CASE WHEN is_other THEN NULL ELSE protocol END AS protocol, "
    "nullif(vni, -1) AS vni, nullif(vlan, -1) AS vlan, is_copy, is_other"
)
JOINS_SQL = "LEFT JOIN address c ON c.id = r.client LEFT JOIN address s ON s.id = r.server"
SESSION_PARTS = ("count", "sum", "min", "max", "p50", "p95", "p99")


class ParquetWriter:
    """Writes parts of a store. Not for several threads at once."""

    def __init__(self) -> None:
        self._connection = duck.connect(duck.WRITE_MEMORY_MB)

    def close(self) -> None:
        self._connection.close()

    def series(self, rows: Rows, path: Path) -> None:
        """One row per (second, conversation) with its scalar bases."""
        bases = rows.present()
        table = {"t": rows.t, **self._keys(rows.keys)} | {key: rows.column(key) for key in bases}
        columns = [f'nullif("{key}", {absent_value(key)}) AS "{key}"' for key in bases]
        self._write("series", table, f"t, {', '.join([KEYS_SQL, *columns])}", "t", path)

    def latency(self, rows: Rows, path: Path) -> bool:
        """One row per (second, conversation, timing, bin); False, and no file, where nothing was timed."""
        bins = rows.bins
        if not len(bins):
            return False
        owners = bins["row"]
        table = {name: column[owners] for name, column in self._keys(rows.keys).items()}
        table |= {"t": rows.t[owners], "metric_id": bins["metric"], "bin": bins["bin"], "n": bins["n"]}
        names = np.array([base.key for base in HISTOGRAMS], object)
        self._connection.register("names", {"id": np.arange(len(names), dtype=np.int16), "metric": names})
        self._write(
            "latency",
            table,
            f"t, {KEYS_SQL}, names.metric AS metric, bin, n",
            "t, metric, client_addr, server_addr, server_port",
            path,
            "JOIN names ON names.id = r.metric_id",
        )
        return True

    def sessions(self, rows: np.ndarray, first_id: int, path: Path) -> None:
        """One row per session; `first_id` + n is an id that no other session of this store has."""
        table: dict[str, Any] = {"id": np.arange(first_id, first_id + len(rows), dtype=np.int64), **self._keys(rows)}
        for name in ("start_ns", "end_ns", "client_port"):
            table[name] = np.ascontiguousarray(rows[name])
        table["role_guessed"] = rows["role_guessed"].astype(bool)
        table["outcome"] = np.array(OUTCOMES, object)[rows["outcome"]]
        table["history"] = np.array([text.decode("ascii", "replace") for text in rows["history"].tolist()], object)
        columns = ["id", "start_ns", "end_ns", KEYS_SQL, "client_port", "role_guessed", "outcome", "history"]
        for name, absent in _session_columns(rows):
            table[name] = np.ascontiguousarray(rows[name])
            columns.append(f'nullif("{name}", {absent}) AS "{name}"')
        self._write("sessions", table, ", ".join(columns), "start_ns", path)

    def _keys(self, keys: np.ndarray) -> dict[str, np.ndarray]:
        """Key columns; addresses as numbers into the table `address`, so that each is written as text once."""
        n = len(keys)
        is_other = keys["is_other"].astype(bool) if "is_other" in (keys.dtype.names or ()) else np.zeros(n, bool)
        ends = np.empty((2 * n, 2), np.int64)
        for column, half in enumerate(("hi", "lo")):
            ends[:n, column], ends[n:, column] = keys[f"client_{half}"], keys[f"server_{half}"]
        groups = group_rows(ends)
        self._register_addresses(ends[groups.first])
        number = groups.number.astype(np.int32)
        out = {"client": np.where(is_other, -1, number[:n]), "server": np.where(is_other, -1, number[n:])}
        for name in ("server_port", "vni"):
            out[name] = keys[name].astype(np.int32)
        for name in ("protocol", "vlan"):
            out[name] = keys[name].astype(np.int16)
        return out | {"is_copy": keys["is_copy"].astype(bool), "is_other": is_other}

    def _register_addresses(self, ends: Ints) -> None:
        raw = address.to_bytes(ends[:, 0], ends[:, 1])
        columns = {
            "id": np.arange(len(raw), dtype=np.int32),
            "ip": np.array([address.to_text(one) for one in raw], object),
            "addr": np.array(raw, object),
        }
        self._connection.register("address", columns)

    def _write(self, dataset: str, table: dict[str, Any], columns: str, order: str, path: Path, join: str = "") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.tmp")
        self._connection.register("r", table)
        query = f"SELECT {columns} FROM r {JOINS_SQL} {join} ORDER BY {order}"
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
