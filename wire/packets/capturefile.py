"""What readers of capture files have in common: an error that names file, offset and reason, and reading by chunks.

A chunk is small enough to stay in the processor's second-level cache while its records are walked and decoded: a larger
buffer brings every byte from memory twice. Large files are mapped where that is safe: mapped.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wire.packets.batch import MAX_PACKETS, PacketBatch
from wire.packets.layout import LINK_TYPES

CHUNK_BYTES = 1 << 20
LARGEST_BLOCK = 16 << 20  # of pcapng, as for libpcap

# How a walk over the records of a chunk ends.
FULL, NEED_MORE, TOO_LONG, LINK_CHANGED, OTHER_BLOCK, BROKEN_BLOCK, UNKNOWN_INTERFACE = range(7)


class CaptureError(Exception):
    """A file that cannot be read (any further); `partial` tells that packets before the fault were handed out."""

    def __init__(self, path: Path | str, offset: int, reason: str, partial: bool = False) -> None:
        super().__init__(path, offset, reason)
        self.path = Path(path)
        self.offset = offset
        self.reason = reason
        self.partial = partial

    def __str__(self) -> str:
        return f"{self.path}: offset {self.offset}: {self.reason}"


class Columns:
    """The columns of one batch, used again for the next."""

    def __init__(self) -> None:
        self.offset = np.empty(MAX_PACKETS, np.int64)
        self.captured = np.empty(MAX_PACKETS, np.int32)
        self.wire_length = np.empty(MAX_PACKETS, np.int32)
        self.time_ns = np.empty(MAX_PACKETS, np.int64)

    def batch(self, buffer: np.ndarray, count: int, link_type: int) -> PacketBatch:
        """The first `count` rows over a buffer."""
        columns = (self.offset, self.captured, self.wire_length, self.time_ns)
        return PacketBatch(buffer, *(column[:count] for column in columns), link_type)


class Chunks:
    """A window that slides over a file: bytes start..stop of `buffer` are those from `position` on."""

    is_mapped = False  # whether what is ahead in the window still lies in memory, and not in a cache
    is_lasting = False  # whether what was handed out stays as it is when the window moves on

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.buffer = np.empty(CHUNK_BYTES, np.uint8)
        self.start = 0
        self.stop = 0
        self.origin = 0  # file offset of buffer[0]

    @property
    def position(self) -> int:
        """File offset of the next byte to be walked."""
        return self.origin + self.start

    def has(self, count: int) -> bool:
        """Whether `count` bytes are there from start on, reading more if they are not."""
        while self.stop - self.start < count:
            if not self.fill(count):
                return False
        return True

    def fill(self, wanted: int = 0) -> bool:
        """Move what is left to the front and read on; False at the end of the file."""
        left = self.stop - self.start
        target = self.buffer
        if max(wanted, left + 1) > len(target):
            target = np.empty(max(wanted, 2 * len(target)), np.uint8)
        target[:left] = self.buffer[self.start : self.stop]
        self.buffer = target
        self.origin += self.start
        self.start, self.stop = 0, left
        try:
            count = self.file.readinto(memoryview(target)[left:])
        except OSError as error:
            raise self.error(error.strerror or str(error)) from error
        self.stop += count or 0
        return bool(count)

    def error(self, reason: str, partial: bool = False) -> CaptureError:
        """An error at the present position."""
        return CaptureError(self.path, self.position, reason, partial)


class CaptureReader:
    """Batches of a capture file in the order of the file. Use it as an iterator, once; `close` or leave a `with`."""

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks
        self.columns = Columns()
        self.packets = 0  # handed out so far

    def __enter__(self) -> CaptureReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.chunks.file.close()

    def __iter__(self) -> Iterator[PacketBatch]:
        try:
            for batch in self.batches():
                self.packets += batch.packets
                yield batch
        finally:
            self.close()

    def batches(self) -> Iterator[PacketBatch]:
        """Each format's own walk."""
        raise NotImplementedError

    @property
    def other_records(self) -> int:
        """Records that hold no packet but that tshark counts as one; only pcapng has any."""
        return 0

    @property
    def bytes_read(self) -> int:
        """File offset of the next record, for a progress line."""
        return self.chunks.position

    def broken(self, reason: str) -> CaptureError:
        """An error at the next record."""
        return self.chunks.error(reason, self.packets > 0)

    def check_link_type(self, link_type: int) -> None:
        """Refuse what no decoder knows."""
        if link_type not in LINK_TYPES:
            known = ", ".join(sorted(set(LINK_TYPES.values())))
            raise self.broken(f"link type {link_type} cannot be read; these can: {known}")
