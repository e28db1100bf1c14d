"""What a store forgets: the oldest first, by bytes and by age, separately for packets, series and sessions.

Age counts from the writing of a file, so that a capture of 1999 ingested today stays. Series and their latency go
together, whole hours at a time, and what was observed in them is forgotten with them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cstor.config import DAY_S, Retention
from cstor.store.layout import hour_folder, hours
from cstor.store.ledger import read_ledger, without_hour, write_ledger


class Stored(NamedTuple):
    """What is removed at once: a segment with its head, or an hour of a dataset."""

    paths: tuple[Path, ...]
    size: int
    written: float
    hour: int


def enforce(root: Path, retention: Retention, now: float | None = None) -> int:
    """Remove what is too old or too much; how many files went."""
    now = time.time() if now is None else now
    removed = _remove(list(_segments(root)), retention.packets_bytes, retention.packets_days, now)
    removed += _remove(list(_hours(root, ("sessions",))), retention.sessions_bytes, retention.sessions_days, now)
    series = _remove(list(_hours(root, ("series", "latency"))), retention.series_bytes, retention.series_days, now)
    if series:
        ledger = read_ledger(root)
        for gone in series:
            ledger.observed = without_hour(ledger.observed, gone.hour)
        write_ledger(root, ledger)
    _remove_empty(root)
    return sum(len(gone.paths) for gone in [*removed, *series])


def _remove(found: list[Stored], max_bytes: int | None, max_days: float | None, now: float) -> list[Stored]:
    found.sort(key=lambda stored: (stored.hour, stored.paths[0].name))
    total = sum(stored.size for stored in found)
    gone = []
    for stored in found:
        is_old = max_days is not None and now - stored.written > max_days * DAY_S
        if is_old or (max_bytes is not None and total > max_bytes):
            for path in stored.paths:
                path.unlink(missing_ok=True)
            total -= stored.size
            gone.append(stored)
    return gone


def _segments(root: Path) -> Iterator[Stored]:
    for hour, folder in hours(root, "packets"):
        for head in sorted(folder.glob("*.idx")):
            # The head goes first: a segment that is listed is there.
            yield _stored((head, head.with_suffix(".pcap")), hour)


def _hours(root: Path, datasets: tuple[str, ...]) -> Iterator[Stored]:
    for hour, _ in hours(root, datasets[0]):
        paths = [
            path for dataset in datasets for path in sorted(hour_folder(root, dataset, hour).glob("[!.]*.parquet"))
        ]
        if paths:
            yield _stored(tuple(paths), hour)


def _stored(paths: tuple[Path, ...], hour: int) -> Stored:
    stats = []
    for path in paths:
        try:
            stats.append(path.stat())
        except FileNotFoundError:
            continue
    return Stored(paths, sum(stat.st_size for stat in stats), max((stat.st_mtime for stat in stats), default=0.0), hour)


def _remove_empty(root: Path) -> None:
    """Folders without files, but not those of this moment: a file may be about to come."""
    for dataset in ("packets", "series", "latency", "sessions"):
        for _, folder in list(hours(root, dataset)):
            for path in (folder, folder.parent):
                try:
                    if time.time() - path.stat().st_mtime > 3600 and not any(path.iterdir()):
                        path.rmdir()
                except OSError:
                    continue
