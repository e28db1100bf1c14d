"""Small tables beside series: `points` (links) and `node` (the node's own counters), a few rows per second.

They take the same way: a live log at once, Parquet once a minute by rename, recovery after a kill. Rows that cannot be
written stay in memory, bounded, until they can; the oldest are let go beyond that, since capture comes first.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from cstor.buckets.points import POINT
from cstor.store import codec, duck
from cstor.store.layout import HOUR_S, LIVE, TABLES, hour_folder, part_name
from cstor.store.log import HEAD, ROWS, LogWriter, read_blocks
from cstor.store.node_rows import NODE
from cstor.store.sequence import Sequence

DTYPES = {"points": POINT, "node": NODE}
COLUMNS = {
    "points": "t, nullif(vni, -1) AS vni, is_link, "
    + ", ".join(
        f"nullif({name}, 0) AS {name}" for name in ("packets", "bytes", "link_burst_bytes", "truncated", "drops")
    ),
    "node": "t, nullif(source, '') AS source, nullif(thread, '') AS thread, name, nullif(reason, '') AS reason, value",
}
MAX_ROWS = 100_000  # of one part
MAX_HELD = 400_000  # rows in memory that wait for the disk
LOGS_KEPT_S = 130.0  # after publishing, as of series

_LOG = re.compile(rf"^({'|'.join(TABLES)})-(-?\d+)-(\d{{10}})\.log$")

log = logging.getLogger("cstor.store")


@dataclass
class OpenTable:
    """Rows of one table and hour that are not yet published."""

    dataset: str
    hour: int
    sequence: int
    log: LogWriter | None = None
    batches: list[np.ndarray] = field(default_factory=list)
    rows: int = 0


class TableWriter:
    """The one writer of the small tables; used by one thread, publishes in another."""

    def __init__(self, root: Path, sequence: Sequence, live: bool) -> None:
        self._root = root
        self._sequence = sequence
        self._live = live
        self._parts: dict[tuple[str, int], OpenTable] = {}
        self._failed: deque[OpenTable] = deque()
        self._old_logs: deque[tuple[float, Path]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tables")
        self._waiting: list[Future[None]] = []
        self._connection = duck.connect(duck.READ_MEMORY_MB)
        self.failures = 0

    def add(self, dataset: str, rows: np.ndarray | None) -> None:
        """Rows of any seconds."""
        if rows is None or not len(rows):
            return
        hours = rows["t"] - rows["t"] % HOUR_S
        for hour in np.unique(hours).tolist():
            chosen = rows[hours == hour]
            part = self._parts.get((dataset, hour)) or self._open(dataset, hour)
            if part.log:
                try:
                    part.log.append(ROWS, [chosen.tobytes()])
                except OSError as error:
                    self._note(error)
            part.batches.append(chosen)
            part.rows += len(chosen)
            if part.rows >= MAX_ROWS:
                self._publish(self._parts.pop((dataset, hour)))

    def rotate(self) -> None:
        """Publish everything that was added so far, and what could not be published before."""
        self._drop_logs(LOGS_KEPT_S)
        for _ in range(len(self._failed)):
            self._submit(self._failed.popleft())
        for key in sorted(self._parts):
            self._publish(self._parts.pop(key))

    def flush(self) -> None:
        """Wait until all that was handed to the publisher can be read; raises what went wrong there."""
        for future in self._waiting:
            future.result()
        self._waiting.clear()

    def close(self) -> None:
        self.rotate()
        self.flush()
        self._drop_logs(0.0)
        self._pool.shutdown()
        self._connection.close()

    def _open(self, dataset: str, hour: int) -> OpenTable:
        part = self._parts[(dataset, hour)] = OpenTable(dataset, hour, self._sequence.next())
        if self._live:
            log = None
            try:
                log = LogWriter(self._root / LIVE / f"{dataset}-{hour}-{part.sequence:010d}.log")
                log.append(HEAD, [codec.table_head(DTYPES[dataset])])
                part.log = log
            except OSError as error:
                if log:
                    log.discard()  # nothing may follow in a log without a head
                self._note(error)  # the part lives in memory alone until it is published
        return part

    def _publish(self, part: OpenTable) -> None:
        if part.log:
            try:
                part.log.close()
            except OSError as error:
                self._note(error)
        self._submit(part)

    def _submit(self, part: OpenTable) -> None:
        for future in [future for future in self._waiting if future.done()]:
            self._waiting.remove(future)
            future.result()
        self._waiting.append(self._pool.submit(self._write, part))

    def _write(self, part: OpenTable) -> None:
        try:
            publish(self._root, self._connection, part.dataset, part.hour, part.sequence, part.batches)
        except (OSError, duckdb.Error) as error:
            if not self._live:
                raise
            self._note(error)
            self._failed.append(part)
            while sum(failed.rows for failed in list(self._failed)) > MAX_HELD:
                self._failed.popleft()
            return
        if part.log:
            self._old_logs.append((time.monotonic(), part.log.path))

    def _drop_logs(self, kept_s: float) -> None:
        while self._old_logs and time.monotonic() - self._old_logs[0][0] >= kept_s:
            self._old_logs.popleft()[1].unlink(missing_ok=True)

    def _note(self, error: Exception) -> None:
        if not self.failures:
            log.warning("links and node counters cannot be written: %s", error)
        self.failures += 1


def publish(
    root: Path,
    connection: duckdb.DuckDBPyConnection,
    dataset: str,
    hour: int,
    sequence: int,
    batches: list[np.ndarray],
) -> None:
    """Write a part's rows as a Parquet file of its hour."""
    rows = np.concatenate(batches)
    rows = rows[np.argsort(rows["t"], kind="stable")]
    path = hour_folder(root, dataset, hour) / part_name(int(rows["t"][0]), int(rows["t"][-1]) + 1, 0, sequence)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.tmp")
    connection.register("rows_of_table", as_columns(rows))
    try:
        duck.copy_parquet(connection, f"SELECT {COLUMNS[dataset]} FROM rows_of_table", dataset, hidden)
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
        connection.unregister("rows_of_table")


def as_columns(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Columns that DuckDB takes: texts as texts, flags as flags."""
    out = {}
    for name in rows.dtype.names or ():
        column = rows[name]
        if column.dtype.kind == "S":
            texts, number = np.unique(column, return_inverse=True)
            names = np.array([text.decode("utf-8", "replace") for text in texts.tolist()] + [None], object)[:-1]
            column = names[number]
        out[name] = column.astype(bool) if name == "is_link" else np.ascontiguousarray(column)
    return out


def table_logs(root: Path) -> Iterator[tuple[Path, str, int, int]]:
    """(path, dataset, hour, sequence) of the small tables' logs."""
    for path in sorted((root / LIVE).glob("*.log")):
        found = _LOG.match(path.name)
        if found:
            yield path, found[1], int(found[2]), int(found[3])


def read_table_log(path: Path, dataset: str) -> list[np.ndarray]:
    """Everything that the whole blocks of a log hold."""
    batches: list[np.ndarray] = []
    decoder: codec.TableDecoder | None = None
    with path.open("rb") as file:
        for block in read_blocks(file):
            if block.kind == HEAD:
                decoder = codec.TableDecoder(block.payload, DTYPES[dataset])
            elif block.kind == ROWS and decoder:
                batches.append(decoder.rows(block.payload))
    return batches


def recover_tables(root: Path) -> None:
    """Publish what a killed writer left in the small tables' logs; the caller holds the store's lock."""
    found = list(table_logs(root))
    if not found:
        return
    connection = duck.connect(duck.READ_MEMORY_MB)
    for path, dataset, hour, sequence in found:
        batches = read_table_log(path, dataset)
        published = list(hour_folder(root, dataset, hour).glob(f"*-L0-{sequence:010d}.parquet"))
        if batches and not published:
            publish(root, connection, dataset, hour, sequence, batches)
        path.unlink()
    connection.close()
