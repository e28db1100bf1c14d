"""Frames of a batch as pcap records, many at a time (draft-ietf-opsawg-pcap: nanosecond magic, little-endian)."""

from __future__ import annotations

import struct

import numpy as np

from wire.packets.batch import PacketBatch
from wire.packets.jit import inline, kernel

RECORD_HEADER = 16
FILE_HEADER_SIZE = 24
_MAGIC_NS = 0xA1B23C4D
_SNAPLEN = 262_144


def file_header(link_type: int) -> bytes:
    """The 24 bytes that begin a segment."""
    return struct.pack("<IHHiIII", _MAGIC_NS, 2, 4, 0, 0, _SNAPLEN, link_type)


def records_size(batch: PacketBatch) -> int:
    """Bytes that the batch takes as records."""
    return int(batch.captured.sum(dtype=np.int64)) + RECORD_HEADER * batch.packets


def write_records(batch: PacketBatch, out: np.ndarray, start: int) -> int:
    """Write the batch's records into `out` from `start` on, which must have room; returns where they end."""
    return int(
        _write(batch.buffer, batch.offset, batch.captured, batch.wire_length, batch.time_ns, out, np.int64(start))
    )


def ascends(time_ns: np.ndarray, after_ns: int) -> bool:
    """Whether no time stamp is before `after_ns` or before the one in front of it."""
    return bool(time_ns[0] >= after_ns and (time_ns[1:] >= time_ns[:-1]).all())


@kernel
def _write(buffer, offset, captured, wire_length, time_ns, out, start):
    at = start
    for index in range(len(offset)):
        length = np.int64(captured[index])
        _put_u32(out, at, time_ns[index] // 1_000_000_000)
        _put_u32(out, at + 4, time_ns[index] % 1_000_000_000)
        _put_u32(out, at + 8, length)
        _put_u32(out, at + 12, np.int64(wire_length[index]))
        at += 16
        source = offset[index]
        out[at : at + length] = buffer[source : source + length]
        at += length
    return at


@inline
def _put_u32(out, at, value):
    out[at] = value & 0xFF
    out[at + 1] = (value >> 8) & 0xFF
    out[at + 2] = (value >> 16) & 0xFF
    out[at + 3] = (value >> 24) & 0xFF
