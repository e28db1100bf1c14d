"""One consistent view of a store at one moment: which files and which rows in memory make up the whole, each once.

The order of looking is what makes it consistent: clock, live logs, series/, then latency/ (the writer goes the other
way round). Files may still be removed while a query runs (compaction, retention): the reader then takes a new view.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from cstor.buckets.second import SessionBatch
from cstor.store.block import Block
from cstor.store.directory import Directory
from cstor.store.layout import HOUR_S, Part, hour_folder, hour_of, hours, part_of
from cstor.store.ledger import Clock, Interval, Ledger, clipped, read_clock, read_ledger, united
from cstor.store.live import LivePartView, LiveTail, LiveView, PartKey

# Beyond this many hours it is cheaper to list what is there than to ask for each hour.
LISTED_HOURS = 200

_folder_of = lru_cache(maxsize=10_000)(hour_folder)


def current_parts(parts: Iterable[Part]) -> list[Part]:
    """Of one hour's files those that count: the newest compacted one and what came after it."""
    found = list(parts)
    top = max((part for part in found if part.level), key=lambda part: (part.sequence, part.level), default=None)
    if top is None:
        return found
    return [top, *(part for part in found if part.sequence > top.sequence)]


def parts_in(folder: Path, dataset: str, hour: int) -> list[Part]:
    """Every part in one hour's folder, superseded ones too."""
    try:
        found = (part_of(folder / entry.name, dataset, hour) for entry in os.scandir(folder))
        return sorted((part for part in found if part), key=lambda part: (part.start, part.sequence))
    except FileNotFoundError:
        return []


SETTLED_NS = 2 * 10**9  # a folder that changed longer ago shows in its time when it changes again
_listed: dict[Path, tuple[int, list[Part]]] = {}
_LISTED_MAX = 20_000


def listed_parts(folder: Path, dataset: str, hour: int) -> list[Part]:
    """The same, listed again only if the folder has changed."""
    try:
        changed_ns = folder.stat().st_mtime_ns
    except FileNotFoundError:
        return []
    known = _listed.get(folder)
    if known is not None and known[0] == changed_ns:
        return known[1]
    is_settled = time.time_ns() - changed_ns > SETTLED_NS
    found = parts_in(folder, dataset, hour)
    if is_settled:
        if len(_listed) >= _LISTED_MAX:
            _listed.clear()
        _listed[folder] = (changed_ns, found)
    return found


@dataclass(frozen=True)
class SeriesSources:
    """What holds the seconds of a range. `coarse` are hours (from, to, step) that are kept in larger steps than asked:
    nothing of them is in the other three."""

    files: list[Path]
    latency_files: list[Path]
    seconds: list[Block]
    coarse: list[tuple[int, int, int]]


@dataclass(frozen=True)
class SessionSources:
    """What holds the sessions that touch a range; `batches` come with the number that their ids begin with."""

    files: list[Path]
    batches: list[tuple[int, SessionBatch]]


@dataclass(frozen=True)
class TableSources:
    """What holds a small table's rows of a range; batches may hold others too."""

    files: list[Path]
    batches: list[np.ndarray]


class Snapshot:
    """Made by `take_snapshot`."""

    def __init__(self, root: Path, clock: Clock | None, ledger: Ledger, live: LiveView) -> None:
        self.root = root
        self.clock = clock
        self.ledger = ledger
        self._live = live.parts
        self._directory = live.directory

    @property
    def directory(self) -> Directory:
        """By which the rows of seconds in memory are numbered."""
        return self._directory

    def series(self, start: int, end: int, step: int = 1) -> SeriesSources:
        """Sources of the seconds [start, end), to be answered in buckets of `step` seconds."""
        held, parts = self._split("series", self._folders("series", hour_of(start), end))
        latency = [
            part
            for hour, folder in self._folders("latency", hour_of(start), end)
            for part in current_parts(listed_parts(folder, "latency", hour))
            if PartKey("series", hour, part.sequence) not in held
        ]
        coarse = _too_coarse([*parts, *latency], step)
        if coarse:
            parts, latency = ([part for part in some if part.hour not in coarse] for some in (parts, latency))
        keys = [key for key in sorted(held) if key.hour not in coarse]
        seconds = [second for key in keys for second in held[key].seconds if start <= second.t < end]
        hours_kept = [(hour, hour + HOUR_S, kept) for hour, kept in sorted(coarse.items())]
        return SeriesSources(_overlapping(parts, start, end), _overlapping(latency, start, end), seconds, hours_kept)

    def sessions(self, start: int, end: int) -> SessionSources:
        """Sources of the sessions that overlap [start, end) seconds: they are filed by their end."""
        held, parts = self._split("sessions", self._folders("sessions", hour_of(start), None))
        batches = [(key.sequence, batch) for key in sorted(held) for batch in held[key].sessions]
        return SessionSources(_overlapping(parts, start, end), batches)

    def table(self, dataset: str, start: int, end: int) -> TableSources:
        """Sources of the rows of [start, end) seconds of `points` or `node`."""
        held, parts = self._split(dataset, self._folders(dataset, hour_of(start), end))
        batches = [rows for key in sorted(held) for rows in held[key].rows]
        return TableSources(_overlapping(parts, start, end), batches)

    @property
    def complete_until(self) -> int:
        """Seconds before this are all there: by the clock of a running capture, else the end of the newest."""
        return self.clock.complete_until if self.clock else self._newest_end

    @property
    def observed(self) -> list[Interval]:
        """When every source was capturing."""
        running = [(self.clock.observed_from, self.clock.complete_until)] if self.clock else []
        return united([*self.ledger.observed, *running])

    @cached_property
    def oldest(self) -> int | None:
        """The oldest second that has rows."""
        starts = self._live_times
        for hour, folder in hours(self.root, "series"):
            found = listed_parts(folder, "series", hour)
            if found:
                starts = [*starts, min(part.start for part in found)]
                break
        return min(starts, default=None)

    @cached_property
    def newest(self) -> int | None:
        """The newest second that has rows."""
        newest = self._live_times
        for hour, folder in reversed(list(hours(self.root, "series"))):
            found = listed_parts(folder, "series", hour)
            if found:
                newest = [*newest, max(part.end for part in found) - 1]
                break
        return max(newest, default=None)

    @property
    def kept_from(self) -> int | None:
        """The oldest second that this store knows about; None while it is empty."""
        known = [self.oldest, *(start for start, _ in self.observed[:1])]
        return min((t for t in known if t is not None), default=None)

    @property
    def _newest_end(self) -> int:
        ends = [end for _, end in self.observed[-1:]]
        return max(ends if self.newest is None else [*ends, self.newest + 1], default=0)

    @cached_property
    def _live_times(self) -> list[int]:
        live = (part for key, part in self._live.items() if key.dataset == "series")
        return [second.t for part in live for second in part.seconds]

    def observed_in(self, start: int, end: int) -> list[Interval]:
        return clipped(self.observed, start, end)

    def revisions_in(self, start: int, end: int) -> dict[int, int]:
        """Revisions of the hours that touch [start, end)."""
        return {hour: n for hour, n in sorted(self.ledger.revisions.items()) if hour < end and hour + HOUR_S > start}

    def _split(
        self, dataset: str, folders: Iterable[tuple[int, Path]]
    ) -> tuple[dict[PartKey, LivePartView], list[Part]]:
        """Parts taken from memory, and those taken from files: a part in memory must be whole if it has a file."""
        held = {key: part for key, part in self._live.items() if key.dataset == dataset}
        parts: list[Part] = []
        for hour, folder in folders:
            here = listed_parts(folder, dataset, hour)
            top = max((part.sequence for part in here if part.level), default=-1)
            for part in current_parts(here):
                key = PartKey(dataset, hour, part.sequence)
                if part.level == 0 and key in held and held[key].is_whole:
                    continue
                held.pop(key, None)
                parts.append(part)
            for key in [key for key in held if key.hour == hour and key.sequence <= top]:
                del held[key]
        return held, parts

    def _folders(self, dataset: str, start: int, end: int | None) -> list[tuple[int, Path]]:
        """Folders of the hours [start, end)."""
        if end is not None and end - start <= LISTED_HOURS * HOUR_S:
            return [(hour, _folder_of(self.root, dataset, hour)) for hour in range(start, end, HOUR_S)]
        there = hours(self.root, dataset)
        return [(hour, folder) for hour, folder in there if hour >= start and (end is None or hour < end)]


def _too_coarse(parts: Iterable[Part], step: int) -> dict[int, int]:
    """Hours of which rows cover more than a bucket of `step` seconds, or parts of two; and what they cover."""
    found: dict[int, int] = {}
    for part in parts:
        if step % part.step:
            found[part.hour] = max(part.step, found.get(part.hour, 0))
    return found


def _overlapping(parts: list[Part], start: int, end: int) -> list[Path]:
    return [part.path for part in parts if part.start < end and part.end > start]


def take_snapshot(root: Path, tail: LiveTail) -> Snapshot:
    """A view of the store as it is now."""
    clock = read_clock(root)
    live = tail.read()
    return Snapshot(root, clock, _ledger_of(root), live)


_ledgers: dict[Path, tuple[tuple[int, int, int], Ledger]] = {}


def _ledger_of(root: Path) -> Ledger:
    """The ledger, read again only if its file was replaced."""
    try:
        found = (root / "ledger.json").stat()
    except FileNotFoundError:
        return Ledger()
    stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
    known = _ledgers.get(root)
    if known is None or known[0] != stamp:
        known = _ledgers[root] = (stamp, read_ledger(root))
    return known[1]
