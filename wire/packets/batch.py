"""A batch of frames as they were captured: one buffer, and a column for each thing the capture says about a frame.

Every source (file, socket, interface) hands over batches of one link type; every decoder and writer takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wire.packets.layout import LINK_ETHERNET

MAX_PACKETS = 4096


class PacketBatch(NamedTuple):
    """Frames in the order of arrival. The arrays belong to the source: valid until it is asked for the next batch."""

    buffer: np.ndarray  # u1, C-contiguous, writable
    offset: np.ndarray  # i8, start of each frame in the buffer
    captured: np.ndarray  # i4, bytes present
    wire_length: np.ndarray  # i4, bytes that the frame had on the wire
    time_ns: np.ndarray  # i8, UTC
    link_type: int  # LINKTYPE_ number, one per batch

    @property
    def packets(self) -> int:
        """Number of frames (len() of this tuple is the number of its fields)."""
        return len(self.offset)

    def frame(self, index: int) -> bytes:
        """The bytes of one frame, for tests and messages: hot paths use the columns."""
        start = int(self.offset[index])
        return self.buffer[start : start + int(self.captured[index])].tobytes()

    def part(self, start: int, stop: int) -> PacketBatch:
        """The frames start..stop of this batch, sharing its memory."""
        columns = (self.offset, self.captured, self.wire_length, self.time_ns)
        return PacketBatch(self.buffer, *(column[start:stop] for column in columns), self.link_type)


def batch_of(
    frames: Sequence[bytes],
    times_ns: Sequence[int] | None = None,
    wire_lengths: Sequence[int] | None = None,
    link_type: int = LINK_ETHERNET,
) -> PacketBatch:
    """A batch made from frames in memory; without times they are 1 us apart."""
    captured = np.array([len(frame) for frame in frames], np.int32)
    offset = np.zeros(len(frames), np.int64)
    np.cumsum(captured[:-1], out=offset[1:])
    times = np.arange(len(frames), dtype=np.int64) * 1000 if times_ns is None else np.array(times_ns, np.int64)
    wire = captured.copy() if wire_lengths is None else np.array(wire_lengths, np.int32)
    buffer = np.frombuffer(bytearray(b"".join(frames)), np.uint8)
    return PacketBatch(buffer, offset, captured, wire, times, link_type)
