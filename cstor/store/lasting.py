"""Chunks of a capture file that outlive the next one: what is read is written from where it lies, without a copy.

A chunk's memory is used again once nobody refers to it any more, neither a batch nor a segment that waits to be
written. That takes the copy off the thread that analyses; the sum over all threads is about the same, since the memory
is colder.
"""

from __future__ import annotations

import sys

import numpy as np

from wire.packets.capturefile import CHUNK_BYTES, Chunks

_OURS = 3  # references of a buffer that nobody else has: the list's, the loop's, and getrefcount's


class LastingChunks(Chunks):
    """Takes the place of a reader's chunks before its first batch."""

    def __init__(self, chunks: Chunks) -> None:
        super().__init__(chunks.path, chunks.file)
        self.buffer, self.start, self.stop, self.origin = chunks.buffer, chunks.start, chunks.stop, chunks.origin
        self._buffers: list[np.ndarray] = []

    def fill(self, wanted: int = 0) -> bool:
        """Go on in other memory, with what is left before it."""
        old, begin, left = self.buffer, self.start, self.stop - self.start
        self.buffer = self._free(max(wanted, left + 1, CHUNK_BYTES))
        self.buffer[:left] = old[begin : begin + left]
        self.origin += begin
        self.start, self.stop = 0, left
        return super().fill(wanted)

    def _free(self, size: int) -> np.ndarray:
        for buffer in self._buffers:
            if sys.getrefcount(buffer) <= _OURS and len(buffer) >= size:
                return buffer
        self._buffers = [buffer for buffer in self._buffers if sys.getrefcount(buffer) > _OURS]
        self._buffers.append(np.empty(size, np.uint8))
        return self._buffers[-1]
