"""Closed seconds and sessions on their way to the disk: into live logs at once, into Parquet a minute at a time.

A log holds one hour's rows and has the number of the Parquet files that it becomes. Publishing renames latency first,
then series: a reader that looks at logs, series, latency in this order sees every row once. A log stays for a while
after that: readers have the last minutes from it. `ingest` needs no logs: it publishes as it goes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import duckdb
import numpy as np

from cstor.buckets.second import ClosedSecond, SessionBatch
from cstor.store import codec, log
from cstor.store.grouping import Ints
from cstor.store.layout import LIVE, SECOND_NS, hour_folder, hour_of, part_name
from cstor.store.log import LogWriter
from cstor.store.parquet import ParquetWriter
from cstor.store.rows import join
from cstor.store.sequence import Sequence

MAX_ROWS = 250_000  # of one part in memory: a part that grows beyond is published early
MAX_SESSIONS = 50_000
EARLY_ROWS = 32_768  # an ingest publishes from here on when the publisher has nothing else to do
EARLY_SESSIONS = 8_192
MAX_WAITING = 4  # parts that wait for the publisher before the writer waits for it
LOGS_KEPT_S = 130.0  # after publishing; with a part a minute, readers have two to three minutes in memory
SESSION_ID_BITS = 20  # a part's sequence above, the row within below: MAX_SESSIONS fits

Item = TypeVar("Item", ClosedSecond, SessionBatch)


@dataclass
class OpenPart(Generic[Item]):
    """Rows of one hour that are not yet published."""

    dataset: str
    hour: int
    sequence: int
    log: LogWriter | None
    items: list[Item] = field(default_factory=list)
    rows: int = 0


def session_ids(sequence: int, count: int) -> Ints:
    """Ids of a part's sessions in the order of their coming: the same while they are live and when they are filed."""
    return (sequence << SESSION_ID_BITS) + np.arange(count, dtype=np.int64)


def log_path(root: Path, dataset: str, hour: int, sequence: int) -> Path:
    return root / LIVE / f"{dataset}-{hour}-{sequence:010d}.log"


class Publisher:
    """Turns parts into Parquet files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._parquet = ParquetWriter()

    def close(self) -> None:
        self._parquet.close()

    def series(self, hour: int, sequence: int, seconds: list[ClosedSecond]) -> None:
        """latency/ first, then series/: see above."""
        rows = join(sorted(seconds, key=lambda second: second.t))
        if not len(rows):
            return
        name = part_name(int(rows.t.min()), int(rows.t.max()) + 1, 0, sequence)
        self._parquet.latency(rows, hour_folder(self._root, "latency", hour) / name)
        self._parquet.series(rows, hour_folder(self._root, "series", hour) / name)

    def sessions(self, hour: int, sequence: int, batches: list[SessionBatch]) -> None:
        rows = np.concatenate([batch.rows for batch in batches])
        start, end = int(rows["start_ns"].min()) // SECOND_NS, int(rows["end_ns"].max()) // SECOND_NS + 1
        path = hour_folder(self._root, "sessions", hour) / part_name(start, end, 0, sequence)
        self._parquet.sessions(rows, session_ids(sequence, len(rows)), path)


class StoreWriter:
    """The one writer of series and sessions; used by one thread, publishes in another."""

    def __init__(self, root: Path, sequence: Sequence, live: bool) -> None:
        self._root = root
        self._sequence = sequence
        self._live = live
        self._publisher = Publisher(root)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._waiting: list[Future[None]] = []
        self.published = 0  # parts handed to the publisher
        self.problem: str | None = None  # why the last write of a live capture failed; None once one succeeded
        self.failures = 0
        self._old_logs: deque[tuple[float, Path]] = deque()
        self._failed: list[OpenPart[ClosedSecond] | OpenPart[SessionBatch]] = []
        self._seconds: dict[int, OpenPart[ClosedSecond]] = {}
        self._sessions: dict[int, OpenPart[SessionBatch]] = {}

    @property
    def backlog(self) -> int:
        """Parts that wait to be published."""
        return sum(not future.done() for future in self._waiting)

    def add_seconds(self, seconds: Iterable[ClosedSecond]) -> None:
        for second in seconds:
            if len(second.keys):
                part = self._part(self._seconds, "series", hour_of(second.t))
                self._log(part, log.SECOND, codec.encode_second(second) if part.log else [])
                self._add(part, self._seconds, second, len(second.keys), MAX_ROWS)

    def add_sessions(self, batch: SessionBatch) -> None:
        """Sessions are filed by the hour of their end."""
        rows = batch.rows
        hours = rows["end_ns"] // SECOND_NS
        hours -= hours % 3600
        for hour in np.unique(hours).tolist():
            chosen = rows if hours.min() == hours.max() else rows[hours == hour]
            for start in range(0, len(chosen), MAX_SESSIONS):
                some = SessionBatch(chosen[start : start + MAX_SESSIONS])
                part = self._part(self._sessions, "sessions", hour)
                if part.rows + len(some.rows) > MAX_SESSIONS:
                    self._publish(self._sessions.pop(hour))
                    part = self._part(self._sessions, "sessions", hour)
                self._log(part, log.SESSIONS, codec.encode_sessions(some) if part.log else [])
                self._add(part, self._sessions, some, len(some.rows), MAX_SESSIONS)

    def rotate(self) -> None:
        """Publish everything that was added so far, and what could not be published before."""
        self._drop_logs(LOGS_KEPT_S)
        failed, self._failed = self._failed, []
        for part in failed:
            self._submit(part)
        for hour in sorted(self._seconds):
            self._publish(self._seconds.pop(hour))
        for hour in sorted(self._sessions):
            self._publish(self._sessions.pop(hour))

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
        self._publisher.close()

    def _part(self, parts: dict[int, OpenPart[Item]], dataset: str, hour: int) -> OpenPart[Item]:
        part = parts.get(hour)
        if part is None:
            part = parts[hour] = OpenPart(dataset, hour, self._sequence.next(), None)
            if self._live:
                self._open_log(part)
        return part

    def _open_log(self, part: OpenPart[Item]) -> None:
        try:
            part.log = LogWriter(log_path(self._root, part.dataset, part.hour, part.sequence))
        except OSError as error:
            self._note(error)  # the part lives in memory alone until it is published
            return
        self._log(part, log.HEAD, [codec.head()])

    def _log(self, part: OpenPart[Item], kind: int, block: list[bytes]) -> None:
        """Append to the part's log. A full disk loses the log's copy only: the part itself is published later."""
        if part.log:
            try:
                part.log.append(kind, block)
            except OSError as error:
                self._note(error)

    def _add(self, part: OpenPart[Item], parts: dict[int, OpenPart[Item]], item: Item, rows: int, limit: int) -> None:
        part.items.append(item)
        part.rows += rows
        early = EARLY_ROWS if part.dataset == "series" else EARLY_SESSIONS
        is_idle = not self._live and part.rows >= early and not self.backlog
        if part.rows >= limit or is_idle:
            self._publish(parts.pop(part.hour))

    def _publish(self, part: OpenPart[Any]) -> None:
        if part.log:
            try:
                part.log.close()
            except OSError as error:
                self._note(error)
        self._submit(part)
        self.published += 1

    def _submit(self, part: OpenPart[Any]) -> None:
        for future in [future for future in self._waiting if future.done()]:
            self._waiting.remove(future)
            future.result()
        while len(self._waiting) >= MAX_WAITING and not self._live:
            self._waiting.pop(0).result()
        self._waiting.append(self._pool.submit(self._write, part))

    def _write(self, part: OpenPart[Any]) -> None:
        write = self._publisher.series if part.dataset == "series" else self._publisher.sessions
        try:
            write(part.hour, part.sequence, part.items)
        except (OSError, duckdb.Error) as error:
            if not self._live:
                raise
            self._note(error)
            self._failed.append(part)  # its log stays, readers have it from there; tried again at the next rotation
            return
        self.problem = None
        if part.log:
            self._old_logs.append((time.monotonic(), part.log.path))

    def _drop_logs(self, kept_s: float) -> None:
        while self._old_logs and time.monotonic() - self._old_logs[0][0] >= kept_s:
            self._old_logs.popleft()[1].unlink(missing_ok=True)

    def _note(self, error: Exception) -> None:
        self.failures += 1
        self.problem = f"series and sessions cannot be written: {error}"
