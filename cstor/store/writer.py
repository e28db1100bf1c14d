"""Closed seconds and sessions on their way to the disk: into live logs at once, into Parquet a minute at a time.

A log holds one hour's rows and has the number of the Parquet files that it becomes. Publishing renames latency first,
then series: a reader that looks at logs, series, latency in this order sees every row once. A log stays for a while
after that: readers have the last minutes from it. `ingest` needs no logs: it publishes as it goes.
"""

from __future__ import annotations

import threading
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
from cstor.store.held import Held
from cstor.store.layout import LIVE, SECOND_NS, hour_folder, hour_of, part_name
from cstor.store.log import LogWriter
from cstor.store.parquet import ParquetWriter
from cstor.store.replay import read_log
from cstor.store.sequence import Sequence
from cstor.store.sessions_sql import session_ids
from cstor.store.tables import TableWriter

MAX_ROWS = 250_000  # of one part in memory: a part that grows beyond is published early
MAX_SESSIONS = 50_000  # fits SESSION_ID_BITS
EARLY_ROWS = 32_768  # an ingest publishes from here on when the publisher has nothing else to do
EARLY_SESSIONS = 8_192
INGEST_THREADS = 2  # that publish: at the end of a capture, series and sessions are written side by side
MAX_WAITING = 4  # parts that wait for the publisher before the writer waits for it
LOGS_KEPT_S = 130.0  # after publishing; with a part a minute, readers have two to three minutes in memory

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


def log_path(root: Path, dataset: str, hour: int, sequence: int) -> Path:
    return root / LIVE / f"{dataset}-{hour}-{sequence:010d}.log"


class Publisher:
    """Turns parts into Parquet files; threads may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._of_thread = threading.local()

    @property
    def _parquet(self) -> ParquetWriter:
        """The calling thread's own."""
        writer: ParquetWriter | None = getattr(self._of_thread, "writer", None)
        if writer is None:
            writer = self._of_thread.writer = ParquetWriter()
        return writer

    def series(self, hour: int, sequence: int, seconds: list[ClosedSecond]) -> None:
        """latency/ first, then series/: see above."""
        seconds = sorted((second for second in seconds if len(second.keys)), key=lambda second: second.t)
        if not seconds:
            return
        name = part_name(seconds[0].t, seconds[-1].t + 1, 0, sequence)
        folders = (hour_folder(self._root, dataset, hour) for dataset in ("latency", "series"))
        self._parquet.seconds(seconds, *(folder / name for folder in folders))

    def sessions(self, hour: int, sequence: int, batches: list[SessionBatch]) -> None:
        start = min(int(batch.rows["start_ns"].min()) for batch in batches) // SECOND_NS
        end = max(int(batch.rows["end_ns"].max()) for batch in batches) // SECOND_NS + 1
        path = hour_folder(self._root, "sessions", hour) / part_name(start, end, 0, sequence)
        ids = session_ids(sequence, sum(len(batch.rows) for batch in batches))
        self._parquet.sessions(batches, ids, path)


class StoreWriter:
    """The one writer of series and sessions; used by one thread, publishes in another."""

    def __init__(self, root: Path, sequence: Sequence, live: bool) -> None:
        self._root = root
        self._sequence = sequence
        self._live = live
        self._publisher = Publisher(root)
        self.tables = TableWriter(root, sequence, live)
        self._pool = ThreadPoolExecutor(1 if live else INGEST_THREADS, thread_name_prefix="publish")
        self._waiting: list[Future[None]] = []
        self.published = 0  # parts handed to the publisher
        self.failures = 0
        self.rows = 0  # of conversations, that were handed to it
        self.held = Held()  # of a live capture: what the disk does not take
        self._log_error: Exception | None = None
        self._publish_error: Exception | None = None
        self._old_logs: deque[tuple[float, Path]] = deque()
        self._failed: list[OpenPart[ClosedSecond] | OpenPart[SessionBatch]] = []
        self._seconds: dict[int, OpenPart[ClosedSecond]] = {}
        self._sessions: dict[int, OpenPart[SessionBatch]] = {}

    @property
    def backlog(self) -> int:
        """Parts that wait to be published."""
        return sum(not future.done() for future in self._waiting)

    @property
    def problem(self) -> str | None:
        """Why the last write of a live capture failed; None once one succeeded."""
        error = self._log_error or self._publish_error
        return f"series and sessions cannot be written: {error}" if error else None

    def add_seconds(self, seconds: Iterable[ClosedSecond]) -> None:
        for second in seconds:
            if len(second.keys):
                self.rows += len(second.keys)
                self._take(hour_of(second.t), second)

    def add_sessions(self, batch: SessionBatch) -> None:
        """Sessions are filed by the hour of their end."""
        rows = batch.rows
        hours = rows["end_ns"] // SECOND_NS
        hours -= hours % 3600
        for hour in np.unique(hours).tolist():
            chosen = rows if hours.min() == hours.max() else rows[hours == hour]
            for start in range(0, len(chosen), MAX_SESSIONS):
                self._take(hour, SessionBatch(chosen[start : start + MAX_SESSIONS]))

    def retry(self) -> None:
        """Write what waits for space on the disk, as far as that goes."""
        while len(self.held):
            hour, item, _ = self.held.first()
            try:
                self._store(hour, item)
            except OSError as error:
                self._note(error)
                return
            self.held.pop()

    def _take(self, hour: int, item: ClosedSecond | SessionBatch) -> None:
        self.retry()
        if not len(self.held):
            try:
                self._store(hour, item)
                return
            except OSError as error:
                self._note(error)
        self.held.add(hour, item)

    def _store(self, hour: int, item: ClosedSecond | SessionBatch) -> None:
        """Into the log of its part, then into the part: OSError leaves both as they were."""
        if isinstance(item, ClosedSecond):
            part = self._part(self._seconds, "series", hour)
            if part.log:
                part.log.append(log.SECOND, codec.encode_second(item))
            self._add(part, self._seconds, item, len(item.keys), MAX_ROWS)
        else:
            if hour in self._sessions and self._sessions[hour].rows + len(item.rows) > MAX_SESSIONS:
                self._publish(self._sessions.pop(hour))
            session_part = self._part(self._sessions, "sessions", hour)
            if session_part.log:
                session_part.log.append(log.SESSIONS, codec.encode_sessions(item))
            self._add(session_part, self._sessions, item, len(item.rows), MAX_SESSIONS)
        self._log_error = None

    def rotate(self) -> None:
        """Publish everything that was added so far, and what could not be published before."""
        self._drop_logs(LOGS_KEPT_S)
        self.tables.rotate()
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
        self.tables.flush()
        self._waiting.clear()

    def close(self) -> None:
        self.retry()
        self.held.drop_all()
        self.rotate()
        self.flush()
        self._drop_logs(0.0)
        self._pool.shutdown()
        self.tables.close()

    def _part(self, parts: dict[int, OpenPart[Item]], dataset: str, hour: int) -> OpenPart[Item]:
        part = parts.get(hour)
        if part is None:
            sequence = self._sequence.next()
            journal = open_log(log_path(self._root, dataset, hour, sequence)) if self._live else None
            part = parts[hour] = OpenPart(dataset, hour, sequence, journal)
        return part

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
                self._note(error)  # without its end readers take the published file instead, once it is there
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
        try:
            self._write_part(part)
        except (OSError, duckdb.Error) as error:
            if not self._live:
                raise
            self.failures += 1
            self._publish_error = error
            if part.log:
                part.items = []  # readers have it from the log, and so has the next try, at the next rotation
            self._failed.append(part)
            return
        self._publish_error = None
        if part.log:
            self._old_logs.append((time.monotonic(), part.log.path))

    def _write_part(self, part: OpenPart[Any]) -> None:
        items = part.items
        if part.log and not items:
            seconds, sessions = read_log(part.log.path)
            items = seconds or sessions
        write = self._publisher.series if part.dataset == "series" else self._publisher.sessions
        write(part.hour, part.sequence, items)

    def _drop_logs(self, kept_s: float) -> None:
        while self._old_logs and time.monotonic() - self._old_logs[0][0] >= kept_s:
            self._old_logs.popleft()[1].unlink(missing_ok=True)

    def _note(self, error: OSError) -> None:
        self.failures += 1
        self._log_error = error


def open_log(path: Path) -> LogWriter:
    """A new log with its head; OSError leaves nothing behind."""
    writer = LogWriter(path)
    try:
        writer.append(log.HEAD, [codec.head()])
    except OSError:
        writer.discard()
        raise
    return writer
