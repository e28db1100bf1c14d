"""A capture file as a map of its pages, which spares the copy that a read makes: two thirds of its cost.

A map has one danger: a file that somebody cuts while it is read ends the process (SIGBUS). So a file is mapped only
while the kernel keeps others from it by a lease (fcntl(2), F_SETLEASE): whoever opens it for writing has to wait until
the reader has gone back to reads and given the lease up, some milliseconds. No lease, as on a network file system, for
a file of another user or one that is being written: no map.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wire.packets.capturefile import CHUNK_BYTES, Chunks

WORTH_BYTES = 4 << 20  # a smaller file is read before a map of it is made
WINDOW_BYTES = 12 << 20  # whose pages are asked for at a time
BEHIND_BYTES = 64 << 20  # pages that are kept after they were walked: consumers may still read them
FAREWELL = 16  # windows after which a lease that somebody waits for is given up: by then no consumer reads the map
_SETSIG = 10  # F_SETSIG, which the module fcntl does not name
_POPULATE_READ = 22  # MADV_POPULATE_READ, Linux 5.14


def map_capture(path: Path, file: BinaryIO) -> MappedChunks | None:
    """A window over the mapped file, None where it has to be read."""
    try:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size < WORTH_BYTES:
            return None
        # The kernel tells by a signal that somebody waits. This one is ignored by default; the lease is asked instead.
        fcntl.fcntl(file, _SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        size = os.fstat(file.fileno()).st_size
        pages = mmap.mmap(
            file.fileno(),
            size,
            flags=mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0),
            prot=mmap.PROT_READ
            | mmap.PROT_WRITE,  # kernels take writable arrays; nobody writes, and it would be private
        )
    except (OSError, ValueError, AttributeError):
        return None
    return MappedChunks(path, file, pages)


class MappedChunks(Chunks):
    """A window over a map; over reads from where somebody else wants to write.

    The lease goes with the last reference to the map: it has a descriptor of its own.
    """

    is_lasting = True

    def __init__(self, path: Path, file: BinaryIO, pages: mmap.mmap) -> None:
        super().__init__(path, file)
        self.is_mapped = True
        self._pages = pages
        self._dropped = 0
        self._reads = 0
        self.buffer = np.frombuffer(pages, np.uint8)

    def fill(self, wanted: int = 0) -> bool:
        """Widen the window; False at the end of the file."""
        if self.is_mapped and fcntl.fcntl(self.file, fcntl.F_GETLEASE) != fcntl.F_RDLCK:
            self._go_back_to_reads()
        if not self.is_mapped:
            return self._read(wanted)
        begin, end = self.stop, min(len(self.buffer), self.stop + max(wanted, WINDOW_BYTES))
        if begin == end:
            return False
        page = begin - begin % mmap.PAGESIZE
        with suppress(OSError):  # an older kernel brings the pages when they are touched
            self._pages.madvise(_POPULATE_READ, page, end - page)
        if self.start - self._dropped >= 2 * BEHIND_BYTES:
            length = self.start - self._dropped - BEHIND_BYTES
            length -= length % mmap.PAGESIZE
            self._pages.madvise(mmap.MADV_DONTNEED, self._dropped, length)
            self._dropped += length
        self.stop = end
        return True

    def _go_back_to_reads(self) -> None:
        """From here on as for any other file; what was handed out stays valid as long as the lease is kept."""
        self.is_mapped = False
        self.file.seek(self.stop)

    def _read(self, wanted: int) -> bool:
        """A chunk in memory of its own; the first few are still read under the lease, for consumers of the map."""
        self._reads += 1
        if self._reads == FAREWELL:
            fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        left = self.buffer[self.start : self.stop]
        self.buffer = np.empty(max(wanted, len(left) + 1, CHUNK_BYTES), np.uint8)
        self.buffer[: len(left)] = left
        self.origin += self.start
        self.start, self.stop = 0, len(left)
        return super().fill(wanted)
