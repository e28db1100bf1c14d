"""Where things stand in a store, and the lock that keeps a second writer out.

    packets/date=YYYY-MM-DD/hour=HH/<first_ns>-<sequence>.pcap + .idx     sealed segments
    series/, latency/, sessions/, points/, node/  date=/hour=/<from>-<to>-L<level>-<sequence>.parquet
    live/                         append-only logs of what is not yet published; status.json
    ledger.json                   observed intervals, revisions of hours, captures that were killed

Files appear complete, by rename from a hidden name in the same folder. `sequence` grows over the life of a store and
is never used twice: it tells a log and the file that it becomes apart from all others.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

FORMAT_VERSION = 1
SECOND_NS = 1_000_000_000
HOUR_S = 3600
LIVE = "live"
TABLES = ("points", "node")  # links, and the node itself: small, see tables.py
DATASETS = ("series", "latency", "sessions", *TABLES)

BLOCK = 4096
LOCK_ATTEMPTS, LOCK_PAUSE_S = 4, 0.05

STEPS = {0: 1, 1: 1, 2: 10, 3: 60}  # level of a part of series or latency -> seconds that one of its rows covers

_PART = re.compile(r"^(-?\d+)-(-?\d+)-L(\d+)-(\d+)\.parquet$")


class StoreError(Exception):
    """The store cannot be used; the text is one line that says what to do."""


class Part(NamedTuple):
    """One published Parquet file: rows of [start, end) seconds of one hour's folder."""

    path: Path
    dataset: str
    hour: int  # epoch second at which the hour of its folder begins
    start: int
    end: int
    level: int
    sequence: int

    @property
    def step(self) -> int:
        """Seconds that one row covers."""
        return STEPS.get(self.level, 1)


def hour_folder(root: Path, dataset: str, hour_s: int) -> Path:
    """Hive-partitioned folder of the hour that begins at `hour_s`, in UTC."""
    at = datetime.fromtimestamp(hour_s, UTC)
    return root / dataset / f"date={at:%Y-%m-%d}" / f"hour={at:%H}"


def part_name(start: int, end: int, level: int, sequence: int) -> str:
    return f"{start}-{end}-L{level}-{sequence:010d}.parquet"


def part_of(path: Path, dataset: str, hour: int) -> Part | None:
    """The part that a file's name declares; None for anything else in the folder."""
    found = _PART.match(path.name)
    if not found:
        return None
    start, end, level, sequence = (int(word) for word in found.groups())
    return Part(path, dataset, hour, start, end, level, sequence)


def hours(root: Path, dataset: str) -> Iterator[tuple[int, Path]]:
    """(epoch second of the hour, folder) of every hour of a dataset, oldest first."""
    for day in _folders(root / dataset, "date="):
        try:
            midnight = int(datetime.strptime(day.name[5:], "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
        for folder in _folders(day, "hour="):
            if folder.name[5:].isdigit():
                yield midnight + int(folder.name[5:]) * HOUR_S, folder


def _folders(parent: Path, prefix: str) -> list[Path]:
    try:
        return sorted(parent / entry.name for entry in os.scandir(parent) if entry.name.startswith(prefix))
    except FileNotFoundError:
        return []


def hour_of(t: int) -> int:
    return t - t % HOUR_S


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file so that readers see the old or the new one whole, also after a crash."""
    hidden = path.with_name(f".{path.name}.tmp")
    try:
        with hidden.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise


def overwrite_file(path: Path, content: bytes) -> None:
    """Replace a small file that is written all the time and need not outlive the machine, such as a status. On a full
    disk it is overwritten in place: its room was taken before, in whole blocks and one more. Readers may then see it
    torn for a moment; JSON does not mind the blanks."""
    padded = content.ljust((len(content) // BLOCK + 2) * BLOCK)
    hidden = path.with_name(f".{path.name}.tmp")
    try:
        hidden.write_bytes(padded)
        hidden.replace(path)
    except OSError:
        hidden.unlink(missing_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(fd, content.ljust(os.fstat(fd).st_size), 0)
        finally:
            os.close(fd)


class WriterLock:
    """Held by the one process that writes a store (`run` or `ingest`); the kernel frees it when that process dies."""

    def __init__(self, root: Path, command: str) -> None:
        self.path = root / "lock"
        self.command = command
        self._fd = -1

    def __enter__(self) -> WriterLock:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        for attempt in range(LOCK_ATTEMPTS):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt < LOCK_ATTEMPTS - 1:
                    time.sleep(LOCK_PAUSE_S)  # `check` touches the lock for a moment, to see whether it is held
                    continue
                holder = os.pread(fd, 200, 0).decode(errors="replace").strip() or "another process"
                os.close(fd)
                raise StoreError(
                    f"{self.path.parent}: {holder} is writing into this store; wait for it, or stop it"
                ) from None
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's name
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"cstor {self.command} (process {os.getpid()})\n".encode(), 0)
        self._fd = fd
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)
        self._fd = -1


def open_store(root: Path) -> Path:
    """Make the folders of a store; StoreError if that is impossible."""
    try:
        (root / LIVE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{root}: {error.strerror}; name a folder that this user can write") from None
    return root


def existing_store(root: Path) -> Path:
    """The folder, if it is a store; StoreError otherwise."""
    if not (root / LIVE).is_dir():
        raise StoreError(f"{root}: not a cStor store; `cstor ingest --store {root} FILE...` makes one")
    return root
