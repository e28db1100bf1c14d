"""Reads the logs of live/ as they grow and keeps what they held for two minutes after it became Parquet.

So questions about the last minutes are answered from memory. One object per process, shared by its threads.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cstor.buckets.second import ClosedSecond, SessionBatch
from cstor.store.codec import Decoder
from cstor.store.layout import LIVE
from cstor.store.log import END, HEAD, SECOND, SESSIONS, read_blocks

KEPT_SECONDS = 150

_LOG = re.compile(r"^(series|sessions)-(-?\d+)-(\d{10})\.log$")


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
    is_whole: bool = False  # its END was read: the published file holds nothing else
    position: int = 0
    newest: int = 0  # greatest second read
    decoder: Decoder | None = None


class LivePartView(NamedTuple):
    """A part as it was at one moment: lists that only grow, cut at their length then."""

    seconds: list[ClosedSecond]
    sessions: list[SessionBatch]
    is_whole: bool


class LiveTail:
    """The logs of one store."""

    def __init__(self, root: Path) -> None:
        self._folder = root / LIVE
        self._lock = threading.Lock()
        self._parts: dict[PartKey, LivePart] = {}

    def read(self) -> dict[PartKey, LivePartView]:
        """Read what was appended since, forget what is old; returns every part that is held."""
        with self._lock:
            present = set()
            for path in sorted(self._folder.glob("*.log")):
                found = _LOG.match(path.name)
                if found:
                    key = PartKey(found[1], int(found[2]), int(found[3]))
                    present.add(key)
                    self._read_on(path, self._parts.setdefault(key, LivePart()))
            self._forget(present)
            return {
                key: LivePartView(part.seconds[:], part.sessions[:], part.is_whole) for key, part in self._parts.items()
            }

    def _read_on(self, path: Path, part: LivePart) -> None:
        if part.is_whole:
            return
        try:
            with path.open("rb") as file:
                for block in read_blocks(file, part.position):
                    part.position = block.end
                    if block.kind == HEAD:
                        part.decoder = Decoder(block.payload)
                    elif block.kind == SECOND and part.decoder:
                        second = part.decoder.second(block.payload)
                        part.seconds.append(second)
                        part.newest = max(part.newest, second.t)
                    elif block.kind == SESSIONS and part.decoder:
                        part.sessions.append(part.decoder.sessions(block.payload))
                    part.is_whole = block.kind == END
        except FileNotFoundError:
            pass  # published since the folder was read: its Parquet file is found instead

    def _forget(self, present: set[PartKey]) -> None:
        """Sessions go as soon as they are published, seconds when the newest are KEPT_SECONDS further."""
        newest = max((part.newest for part in self._parts.values()), default=0)
        for key in list(self._parts):
            part = self._parts[key]
            is_recent = key.dataset == "series" and part.is_whole and part.newest >= newest - KEPT_SECONDS
            if key not in present and not is_recent:
                del self._parts[key]
