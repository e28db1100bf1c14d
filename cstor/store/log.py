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
        """Write one block whose payload is the parts, joined; OSError (disk full) leaves the log as it was."""
        payload = b"".join(parts)
        crc = zlib.crc32(payload, kind)
        block = HEADER.pack(MAGIC, VERSION, kind, len(payload), crc) + payload
        view = memoryview(block)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(block)

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
