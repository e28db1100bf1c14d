"""What a store forgets: the oldest first, by bytes and by age, separately for packets, series and sessions.

Age counts from the writing of a file, so that a capture of 1999 ingested today stays. Series go together with their
latency and the counters of links and node, whole hours at a time, and what was observed in them is forgotten with them.
What is being written stays: live logs and the segment that grows are not of concern here, nor is the hour whose series
are still coming in.

When the disk has less than `min_free` bytes left, packets go too, the oldest first: they are the bulk, and series and
sessions tell most of their story.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from cstor.config import DAY_S, Retention
from cstor.store.layout import DATASETS, LIVE, TABLES, hour_folder, hours
from cstor.store.ledger import changed_ledger, without_hour

MIN_FREE_SHARE = 0.05
MIN_FREE_MOST = 2 * 10**9
GRACE_S = 3600  # an empty folder younger than this may be about to get a file


class Stored(NamedTuple):
    """What is removed at once: a segment with its head, or an hour of a dataset."""

    paths: tuple[Path, ...]
    size: int
    written: float
    hour: int


def enforce(root: Path, retention: Retention, now: float | None = None) -> int:
    """Remove what is too old or too much; how many files went."""
    now = time.time() if now is None else now
    missing = free_floor(root, retention.min_free) - shutil.disk_usage(root).free
    packets = list(_segments(root))
    gone = _surplus(packets, _allowed(packets, retention.packets_bytes, missing), retention.packets_days, now)
    _remove(gone)
    open_hours = _open_hours(root)
    sessions = [stored for stored in _hours(root, ("sessions",)) if stored.hour not in open_hours]
    old_sessions = _surplus(sessions, retention.sessions_bytes, retention.sessions_days, now)
    _remove(old_sessions)
    series = [stored for stored in _hours(root, ("series", "latency", *TABLES)) if stored.hour not in open_hours]
    old_series = _surplus(series, retention.series_bytes, retention.series_days, now)
    if old_series:
        # Said first: a killed removal leaves rows that nobody vouches for, not "no traffic" where rows are missing.
        with changed_ledger(root) as ledger:
            for stored in old_series:
                ledger.observed = without_hour(ledger.observed, stored.hour)
        _remove(old_series)
    _remove_empty(root)
    return sum(len(stored.paths) for stored in [*gone, *old_sessions, *old_series])


def free_floor(root: Path, configured: int | None) -> int:
    """Bytes of the disk that packets may not fill: what is configured, else 5 % of the disk and at most 2 GB."""
    if configured is not None:
        return configured
    return min(int(shutil.disk_usage(root).total * MIN_FREE_SHARE), MIN_FREE_MOST)


def _allowed(packets: list[Stored], max_bytes: int | None, missing: int) -> int | None:
    """Bytes that packets may take, with so many missing on the disk."""
    if missing <= 0:
        return max_bytes
    left = max(0, sum(stored.size for stored in packets) - missing)
    return left if max_bytes is None else min(left, max_bytes)


def _surplus(found: list[Stored], max_bytes: int | None, max_days: float | None, now: float) -> list[Stored]:
    """What has to go, oldest first."""
    found.sort(key=lambda stored: (stored.hour, stored.paths[0].name))
    total = sum(stored.size for stored in found)
    gone = []
    for stored in found:
        is_old = max_days is not None and now - stored.written > max_days * DAY_S
        if is_old or (max_bytes is not None and total > max_bytes):
            total -= stored.size
            gone.append(stored)
    return gone


def _remove(gone: Iterable[Stored]) -> None:
    for stored in gone:
        for path in stored.paths:
            path.unlink(missing_ok=True)


def _segments(root: Path) -> Iterator[Stored]:
    for hour, folder in hours(root, "packets"):
        for head in sorted(folder.glob("*.idx")):
            # The pcap goes first: killed in between, what is left is small and found by the next start.
            yield _stored((head.with_suffix(".pcap"), head), hour)


def _hours(root: Path, datasets: tuple[str, ...]) -> Iterator[Stored]:
    for hour in sorted({hour for dataset in datasets for hour, _ in hours(root, dataset)}):
        paths = [
            path for dataset in datasets for path in sorted(hour_folder(root, dataset, hour).glob("[!.]*.parquet"))
        ]
        if paths:
            yield _stored(tuple(paths), hour)


def _open_hours(root: Path) -> set[int]:
    """Hours of which something waits in a log: files of them are still to come."""
    words = (path.name.split("-") for path in (root / LIVE).glob("*.log"))
    return {int(found[1]) for found in words if len(found) == 3 and found[1].isdigit()}


def _stored(paths: tuple[Path, ...], hour: int) -> Stored:
    stats = []
    for path in paths:
        try:
            stats.append(path.stat())
        except FileNotFoundError:
            continue
    return Stored(paths, sum(stat.st_size for stat in stats), max((stat.st_mtime for stat in stats), default=0.0), hour)


def _remove_empty(root: Path) -> None:
    for dataset in ("packets", *DATASETS):
        for _, folder in list(hours(root, dataset)):
            for path in (folder, folder.parent):
                try:
                    if time.time() - path.stat().st_mtime > GRACE_S and not any(path.iterdir()):
                        path.rmdir()
                except OSError:
                    continue
