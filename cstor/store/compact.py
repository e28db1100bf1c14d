"""Many small files of an hour become one, and series become coarser with age: 1 s, then 10 s, then 60 s.

Done when the hour is over and nothing of it waits in a log. The new file bears the greatest number of its parts and a
level, which says how long its rows are (layout.STEPS). From the moment of its renaming readers take it instead of its
parts, and only then they are removed: killed in between, the next run removes them.

Bases merge by their kind: sums add up (`active_seconds` and `flow_seconds` too: divided by the time they stay true),
minima and maxima compare, histograms add bin by bin.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

import duckdb

from cstor.config import DAY_S, Retention
from cstor.metrics.registry import BASES
from cstor.store import duck
from cstor.store.layout import DATASETS, HOUR_S, LIVE, STEPS, Part, hour_folder, hours, part_name
from cstor.store.snapshot import current_parts, parts_in

WAIT_S = 600  # after the end of an hour
MIN_PARTS = 4
LEVEL_MERGED, LEVEL_10S, LEVEL_60S = 1, 2, 3
ORDER = {
    "latency": "t, metric, client_addr, server_addr, server_port",
    "series": "t",
    "sessions": "start_ns",
    "points": "t",
    "node": "t",
}
# What becomes coarser together; latency first: a reader that sees the new series finds the new latency.
GROUPS = (("latency", "series"), ("sessions",), ("points",), ("node",))
COARSENED = ("latency", "series")
ADDRESSES = ("client_addr", "server_addr")
TEXTS = ("client_ip", "server_ip")  # follow from the addresses
KEYS = (*ADDRESSES, "server_port", "protocol", "vni", "vlan", "is_copy", "is_other")

log = logging.getLogger("cstor.store")


def compact(
    root: Path,
    now: float | None = None,
    min_parts: int = MIN_PARTS,
    retention: Retention | None = None,
    stopping: threading.Event | None = None,
) -> int:
    """Compact every hour that is ready and has so many parts; how many files were made. Without `retention` nothing
    becomes coarser."""
    now = time.time() if now is None else now
    made = 0
    connection: duckdb.DuckDBPyConnection | None = None
    for group in GROUPS:
        for hour in sorted({hour for dataset in group for hour, _ in hours(root, dataset)}):
            if stopping and stopping.is_set():
                return made
            if hour + HOUR_S + WAIT_S > now or list((root / LIVE).glob(f"*-{hour}-*.log")):
                continue
            current = {dataset: _current(root, dataset, hour) for dataset in group}
            level = _level(current, now, retention)
            for dataset, parts in current.items():
                if len(parts) >= min_parts or any(part.step < STEPS[level] for part in parts):
                    connection = connection or duck.connect(duck.WRITE_MEMORY_MB)
                    made += _merge(connection, parts, dataset, level)
                _remove_superseded(root, dataset, hour)
    if connection:
        connection.close()
    return made


def _current(root: Path, dataset: str, hour: int) -> list[Part]:
    return current_parts(parts_in(hour_folder(root, dataset, hour), dataset, hour))


def _level(current: dict[str, list[Part]], now: float, retention: Retention | None) -> int:
    """The level that an hour's files should have: by their age, and never finer than any of them is already."""
    parts = [part for found in current.values() for part in found]
    level = max([LEVEL_MERGED, *(part.level for part in parts)])
    if retention is None or not set(current) <= set(COARSENED) or not parts:
        return level
    age_days = (now - max(part.path.stat().st_mtime for part in parts)) / DAY_S
    for days, due in ((retention.series_1s_days, LEVEL_10S), (retention.series_10s_days, LEVEL_60S)):
        if days is not None and age_days > days:
            level = max(level, due)
    return level


def _merge(connection: duckdb.DuckDBPyConnection, parts: list[Part], dataset: str, level: int) -> bool:
    """One file in place of several; False where a base is not known, for how it merges is not known then."""
    step = STEPS[level]
    names = ", ".join(duck.quoted(str(part.path)) for part in parts)
    query = f"SELECT * FROM read_parquet([{names}], union_by_name = true, hive_partitioning = false)"
    if any(part.step < step for part in parts):
        columns = [str(name) for name, *_ in connection.execute(f"DESCRIBE {query}").fetchall()]
        unknown = set(columns) - set(BASES) - {"t", "metric", "bin", "n", *KEYS, *TEXTS}
        if unknown:
            log.warning("%s stays in its steps: %s are not known here", parts[0].path.parent, ", ".join(unknown))
            return False
        query = _coarser(query, dataset, columns, step)
    start, end = min(part.start for part in parts), max(part.end for part in parts)
    target = parts[0].path.parent / part_name(
        start - start % step, end + -end % step, level, max(part.sequence for part in parts)
    )
    hidden = target.with_name(f".{target.name}.tmp")
    try:
        duck.copy_parquet(connection, f"SELECT * FROM ({query}) ORDER BY {ORDER[dataset]}", dataset, hidden, step)
        # Age counts from the writing of the data, not from their compaction.
        written = min(part.path.stat().st_mtime for part in parts)
        os.utime(hidden, (written, written))
        _sync(hidden)  # its parts are about to go
        hidden.replace(target)
    finally:
        hidden.unlink(missing_ok=True)  # the disk is full: what is half written only makes it fuller
    _sync(target.parent)
    return True


def _coarser(query: str, dataset: str, columns: list[str], step: int) -> str:
    """The same rows in buckets of `step` seconds."""
    keys = [key for key in KEYS if key in columns]
    if dataset == "latency":
        keys += ["metric", "bin"]
        reduced = ["sum(n)::INTEGER AS n"]
    else:
        reduced = [f'{BASES[key].kind}("{key}")::BIGINT AS "{key}"' for key in columns if key in BASES]
    texts = [f"any_value({name}) AS {name}" for name in TEXTS if name in columns]
    chosen = ", ".join([f"t - t % {step} AS bucket", *texts, *keys, *reduced])
    grouped = f"SELECT {chosen} FROM ({query}) GROUP BY {', '.join(['bucket', *keys])}"
    return f"SELECT bucket AS t, * EXCLUDE (bucket) FROM ({grouped})"


def _remove_superseded(root: Path, dataset: str, hour: int) -> None:
    parts = parts_in(hour_folder(root, dataset, hour), dataset, hour)
    current = set(current_parts(parts))
    for part in parts:
        if part not in current:
            part.path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


assert set(ORDER) == set(DATASETS)
