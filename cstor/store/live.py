"""Reads the logs of live/ as they grow and holds what stands in them: questions about the last minutes open no file.

Seconds are held as blocks whose rows bear the numbers of their conversations (directory.py). The writer removes a log
some time after it became Parquet; a part that is published and old is let go before that, to bound memory. One object
per process, shared by its threads.
"""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cstor.buckets.second import SessionBatch
from cstor.store.block import Block, block_of, new_serial
from cstor.store.codec import Decoder, TableDecoder
from cstor.store.directory import Directory
from cstor.store.layout import LIVE, TABLES, hour_folder
from cstor.store.log import END, HEAD, ROWS, SECOND, SESSIONS, read_blocks
from cstor.store.log import Block as LogBlock
from cstor.store.tables import DTYPES

HELD_S = 120  # seconds of series that are held though they are published
HELD_BYTES = 512 << 20  # beyond it published seconds are let go sooner
FULL_DIRECTORY = 500_000  # conversations from which on those are forgotten that no held second has

_LOG = re.compile(rf"^(series|sessions|{'|'.join(TABLES)})-(-?\d+)-(\d{{10}})\.log$")


class PartKey(NamedTuple):
    """Names a log and the Parquet file that it becomes."""

    dataset: str
    hour: int
    sequence: int


@dataclass
class LivePart:
    """What was read of one log so far."""

    seconds: list[Block] = field(default_factory=list)
    sessions: list[SessionBatch] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)  # of a small table
    is_whole: bool = False  # its END was read: the published file holds nothing else
    is_let_go: bool = False  # its file is read instead
    position: int = 0
    decoder: Decoder | TableDecoder | None = None

    @property
    def bytes(self) -> int:
        return sum(second.bytes for second in self.seconds)


class LivePartView(NamedTuple):
    """A part as it was at one moment: lists that only grow, cut at their length then."""

    seconds: list[Block]
    sessions: list[SessionBatch]
    is_whole: bool
    rows: list[np.ndarray]


class LiveView(NamedTuple):
    """All parts as they were at one moment, and the directory that the rows of their seconds are numbered by."""

    parts: dict[PartKey, LivePartView]
    directory: Directory


class LiveTail:
    """The logs of one store."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / LIVE
        self._lock = threading.Lock()
        self._parts: dict[PartKey, LivePart] = {}
        self._directory = Directory()
        self._full = FULL_DIRECTORY

    def read(self) -> LiveView:
        """Read what was appended since, forget what is gone; returns every part that is held."""
        with self._lock:
            present = set()
            for path, key, size in self._logs():
                present.add(key)
                part = self._parts.setdefault(key, LivePart())
                if size > part.position and not part.is_whole:
                    self._read_on(path, key, part)
            self._forget(present)
            parts = {
                key: LivePartView(part.seconds[:], part.sessions[:], part.is_whole, part.rows[:])
                for key, part in self._parts.items()
                if not part.is_let_go
            }
            return LiveView(parts, self._directory)

    def _logs(self) -> list[tuple[Path, PartKey, int]]:
        """Logs in the order of their names, with their sizes."""
        found = []
        try:
            entries = sorted(os.scandir(self._folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
        for entry in entries:
            match = _LOG.match(entry.name)
            if match:
                try:
                    size = entry.stat().st_size
                except FileNotFoundError:
                    continue
                found.append((self._folder / entry.name, PartKey(match[1], int(match[2]), int(match[3])), size))
        return found

    def _read_on(self, path: Path, key: PartKey, part: LivePart) -> None:
        try:
            with path.open("rb") as file:
                for block in read_blocks(file, part.position):
                    part.position = block.end
                    self._take(block, key, part)
        except FileNotFoundError:
            pass  # published since the folder was read: its Parquet file is found instead

    def _take(self, block: LogBlock, key: PartKey, part: LivePart) -> None:
        decoder = part.decoder
        if block.kind == HEAD:
            is_table = key.dataset in DTYPES
            part.decoder = TableDecoder(block.payload, DTYPES[key.dataset]) if is_table else Decoder(block.payload)
        elif isinstance(decoder, TableDecoder) and block.kind == ROWS:
            part.rows.append(decoder.rows(block.payload))
        elif isinstance(decoder, Decoder) and block.kind == SECOND:
            second = decoder.second(block.payload)
            part.seconds.append(block_of(second, self._directory.number(second.keys)))
        elif isinstance(decoder, Decoder) and block.kind == SESSIONS:
            part.sessions.append(decoder.sessions(block.payload))
        if block.kind == END:
            part.is_whole = True
            self._let_go()

    def _let_go(self) -> None:
        """Of published parts those that are old, or too much, the oldest first."""
        series = [(key, part) for key, part in self._parts.items() if key.dataset == "series" and part.seconds]
        newest = max((part.seconds[-1].t for _, part in series), default=0)
        total = sum(part.bytes for _, part in series)
        for key, part in sorted(series, key=lambda item: item[1].seconds[-1].t):
            is_old = part.seconds[-1].t < newest - HELD_S
            if part.is_whole and (is_old or total > HELD_BYTES) and self._is_published(key):
                total -= part.bytes
                part.seconds, part.is_let_go = [], True

    def _is_published(self, key: PartKey) -> bool:
        folder = hour_folder(self._root, key.dataset, key.hour)
        return any(folder.glob(f"*-L0-{key.sequence:010d}.parquet"))

    def _forget(self, present: set[PartKey]) -> None:
        for key in [key for key in self._parts if key not in present]:
            del self._parts[key]
        if len(self._directory) > self._full:
            self._renumber()

    def _renumber(self) -> None:
        """A new directory of the conversations that the held seconds have; questions that run keep the old one."""
        old, new = self._directory, Directory()
        for part in self._parts.values():
            part.seconds = [
                second._replace(serial=new_serial(), ids=new.number_matrix(old.keys_of(second.ids)))
                for second in part.seconds
            ]
        self._directory = new
        self._full = max(FULL_DIRECTORY, 2 * len(new))
