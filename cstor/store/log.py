"""Append-only logs: blocks with length and CRC, readable up to the last whole block while they grow and after a crash.

A log begins with a block that names the columns of those that follow, since numbers of bases are never stored. It ends
with an END block when nothing more will come: a reader that has seen it holds the whole log.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

HEADER = struct.Struct("<4sHHQI")  # magic, version, kind, length of the payload, CRC-32 of kind and payload
MAGIC = b"cSlg"
VERSION = 1
HEAD, SECOND, SESSIONS, END, ROWS = range(5)


class Block(NamedTuple):
    """One block, and where the next one begins."""

    kind: int
    payload: bytes
    end: int


class LogWriter:
    """Appends blocks; each goes to the kernel in one write, so that a kill leaves at most one torn block at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._size = 0

    def append(self, kind: int, parts: Sequence[bytes | memoryview]) -> None:
        """Write one block whose payload is the parts, one behind the other; OSError (disk full) leaves the log as it
        was."""
        crc, length = kind, 0
        for part in parts:
            crc, length = zlib.crc32(part, crc), length + len(part)
        views = [memoryview(part) for part in (HEADER.pack(MAGIC, VERSION, kind, length, crc), *parts) if len(part)]
        try:
            while views:
                views = _rest(views, os.writev(self._fd, views))
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += HEADER.size + length

    def discard(self) -> None:
        """Take the log away again."""
        os.close(self._fd)
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Say that nothing more comes."""
        try:
            self.append(END, [])
        finally:
            os.close(self._fd)


def _rest(views: list[memoryview], written: int) -> list[memoryview]:
    """What is left of buffers of which so many bytes were written."""
    while views and written >= len(views[0]):
        written -= len(views.pop(0))
    return [views[0][written:], *views[1:]] if views else []


def read_blocks(file: BinaryIO, start: int = 0) -> Iterator[Block]:
    """Whole blocks from byte `start` on; stops silently at the first torn or damaged one."""
    file.seek(start)
    position = start
    while True:
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        magic, version, kind, length, crc = HEADER.unpack(header)
        if magic != MAGIC or version != VERSION:
            return
        if length > os.fstat(file.fileno()).st_size - position - HEADER.size:
            return  # also a damaged length, for which there may be no memory
        payload = file.read(length)
        if len(payload) < length or zlib.crc32(payload, kind) != crc:
            return
        position += HEADER.size + length
        yield Block(kind, payload, position)
