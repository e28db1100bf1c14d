"""Reads the logs of live/ as they grow and holds what stands in them: questions about the last minutes open no file.

The writer removes a log some time after it became Parquet. One object per process, shared by its threads.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cstor.buckets.second import ClosedSecond, SessionBatch
from cstor.store.codec import Decoder, TableDecoder
from cstor.store.layout import LIVE, TABLES
from cstor.store.log import END, HEAD, ROWS, SECOND, SESSIONS, Block, read_blocks
from cstor.store.tables import DTYPES

_LOG = re.compile(rf"^(series|sessions|{'|'.join(TABLES)})-(-?\d+)-(\d{{10}})\.log$")


class PartKey(NamedTuple):
    """Names a log and the Parquet file that it becomes."""

    dataset: str
    hour: int
    sequence: int


@dataclass
class LivePart:
    """What was read of one log so far."""

    seconds: list[ClosedSecond] = field(default_factory=list)
    sessions: list[SessionBatch] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)  # of a small table
    is_whole: bool = False  # its END was read: the published file holds nothing else
    position: int = 0
    decoder: Decoder | TableDecoder | None = None


class LivePartView(NamedTuple):
    """A part as it was at one moment: lists that only grow, cut at their length then."""

    seconds: list[ClosedSecond]
    sessions: list[SessionBatch]
    is_whole: bool
    rows: list[np.ndarray]


class LiveTail:
    """The logs of one store."""

    def __init__(self, root: Path) -> None:
        self._folder = root / LIVE
        self._lock = threading.Lock()
        self._parts: dict[PartKey, LivePart] = {}

    def read(self) -> dict[PartKey, LivePartView]:
        """Read what was appended since, forget what is gone; returns every part that is held."""
        with self._lock:
            present = set()
            for path in sorted(self._folder.glob("*.log")):
                found = _LOG.match(path.name)
                if found:
                    key = PartKey(found[1], int(found[2]), int(found[3]))
                    present.add(key)
                    self._read_on(path, key, self._parts.setdefault(key, LivePart()))
            self._forget(present)
            return {
                key: LivePartView(part.seconds[:], part.sessions[:], part.is_whole, part.rows[:])
                for key, part in self._parts.items()
            }

    def _read_on(self, path: Path, key: PartKey, part: LivePart) -> None:
        if part.is_whole:
            return
        try:
            with path.open("rb") as file:
                for block in read_blocks(file, part.position):
                    part.position = block.end
                    self._take(block, key, part)
        except FileNotFoundError:
            pass  # published since the folder was read: its Parquet file is found instead

    @staticmethod
    def _take(block: Block, key: PartKey, part: LivePart) -> None:
        decoder = part.decoder
        if block.kind == HEAD:
            is_table = key.dataset in DTYPES
            part.decoder = TableDecoder(block.payload, DTYPES[key.dataset]) if is_table else Decoder(block.payload)
        elif isinstance(decoder, TableDecoder) and block.kind == ROWS:
            part.rows.append(decoder.rows(block.payload))
        elif isinstance(decoder, Decoder) and block.kind == SECOND:
            part.seconds.append(decoder.second(block.payload))
        elif isinstance(decoder, Decoder) and block.kind == SESSIONS:
            part.sessions.append(decoder.sessions(block.payload))
        part.is_whole = block.kind == END

    def _forget(self, present: set[PartKey]) -> None:
        for key in [key for key in self._parts if key not in present]:
            del self._parts[key]
