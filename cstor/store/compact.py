"""Many small files of an hour become one: fewer to open for every question about that hour.

Done when the hour is over and nothing of it waits in a log. The new file bears the greatest number of its parts and
level 1; from the moment of its renaming readers take it instead of them, and only then the parts are removed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import duckdb

from cstor.store import duck
from cstor.store.layout import HOUR_S, LIVE, Part, hours, part_name
from cstor.store.parquet import copy_parquet
from cstor.store.snapshot import current_parts, parts_in

WAIT_S = 600  # after the end of an hour
MIN_PARTS = 4
ORDER = {
    "latency": "t, metric, client_addr, server_addr, server_port",
    "series": "t",
    "sessions": "start_ns",
}  # latency first: a reader that sees the new series finds the new latency


def compact(root: Path, now: float | None = None, min_parts: int = MIN_PARTS) -> int:
    """Compact every hour that is ready and has so many parts; how many files were made."""
    now = time.time() if now is None else now
    connection: duckdb.DuckDBPyConnection | None = None
    made = 0
    for hour, _ in list(hours(root, "series")) + list(hours(root, "sessions")):
        if hour + HOUR_S + WAIT_S > now or list((root / LIVE).glob(f"*-{hour}-*.log")):
            continue
        for dataset, order in ORDER.items():
            folder = next((folder for at, folder in hours(root, dataset) if at == hour), None)
            parts = parts_in(folder, dataset, hour) if folder else []
            if len(current_parts(parts)) >= min_parts:
                connection = connection or duck.connect(duck.WRITE_MEMORY_MB)
                _merge(connection, current_parts(parts), folder or root, dataset, order)
                made += 1
            _remove_superseded(parts_in(folder, dataset, hour) if folder else [])
    if connection:
        connection.close()
    return made


def _merge(connection: duckdb.DuckDBPyConnection, parts: list[Part], folder: Path, dataset: str, order: str) -> None:
    start, end = min(part.start for part in parts), max(part.end for part in parts)
    target = folder / part_name(start, end, 1, max(part.sequence for part in parts))
    hidden = target.with_name(f".{target.name}.tmp")
    names = ", ".join(duck.quoted(str(part.path)) for part in parts)
    source = f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"
    copy_parquet(connection, f"SELECT * FROM {source} ORDER BY {order}", dataset, hidden)
    # Age counts from the writing of the data, not from their compaction.
    written = min(part.path.stat().st_mtime for part in parts)
    os.utime(hidden, (written, written))
    hidden.replace(target)


def _remove_superseded(parts: list[Part]) -> None:
    current = set(current_parts(parts))
    for part in parts:
        if part not in current:
            part.path.unlink(missing_ok=True)
