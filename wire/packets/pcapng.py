"""pcapng files (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces with a clock each.

A kernel walks packet blocks and skips what it does not know; Python looks at section and interface blocks only. Batches
end where the link type changes, so that the order of the file is kept. Options after a packet are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from wire.packets.batch import PacketBatch
from wire.packets.bigendian import copy_bytes, le16, le32, put_le32, u16, u32
from wire.packets.capturefile import (
    BROKEN_BLOCK,
    FULL,
    LARGEST_BLOCK,
    LINK_CHANGED,
    NEED_MORE,
    OTHER_BLOCK,
    TOO_LONG,
    UNKNOWN_INTERFACE,
    CaptureReader,
    Chunks,
)
from wire.packets.jit import inline, kernel
from wire.packets.layout import LINK_TYPES, MAX_CAPTURED

SECTION_HEADER, BYTE_ORDER = 0x0A0D0D0A, 0x1A2B3C4D
INTERFACE, OLD_PACKET, SIMPLE_PACKET, PACKET_BLOCK = 1, 2, 3, 6
JOURNAL_BLOCK, CUSTOM_BLOCK, CUSTOM_BLOCK_NOT_COPIED = 9, 0x0BAD, 0x40000BAD
OPTION_END, OPTION_RESOLUTION, OPTION_OFFSET = 0, 9, 14
LARGEST_LENGTH = 2**31 - 1
SECOND = 1_000_000_000

INTERFACE_ROW = np.dtype(
    [
        ("link_type", "i8"),
        ("snap_length", "i8"),
        ("multiply", "i8"),  # a decimal clock: ns = ticks * multiply // divide
        ("divide", "i8"),
        ("shift", "i8"),  # a binary one: 2^shift ticks per second; -1 decimal
        ("offset_ns", "i8"),
    ],
    align=True,
)


LAST_TIME_NS, OTHER_RECORDS = 0, 1


class Interfaces(NamedTuple):
    """The interfaces of the present section, and what a walk hands on to the next."""

    rows: np.ndarray  # INTERFACE_ROW
    state: np.ndarray  # i8: time of the last packet (for packets that have none), records that are not packets


def interface_row(link_type: int, snap_length: int, resolution: int, offset_s: int) -> np.ndarray:
    """One row; `resolution` as in if_tsresol: a power of ten, or with the highest bit set a power of two."""
    row = np.zeros(1, INTERFACE_ROW)
    exponent = resolution & 0x7F
    row["link_type"], row["snap_length"] = link_type, snap_length
    row["multiply"] = 10 ** max(9 - exponent, 0)
    row["divide"] = 10 ** min(max(exponent - 9, 0), 18)
    row["shift"] = exponent if resolution & 0x80 else -1
    row["offset_ns"] = offset_s * SECOND if abs(offset_s) < 2**33 else 0
    return row


class PcapngReader(CaptureReader):
    """Sections and interfaces as they come."""

    def __init__(self, chunks: Chunks) -> None:
        super().__init__(chunks)
        self.is_big = False
        self.interfaces = Interfaces(np.zeros(0, INTERFACE_ROW), np.zeros(2, np.int64))
        if not chunks.has(12):
            raise chunks.error("the file ends inside its section header")
        self._section()

    @property
    def other_records(self) -> int:
        """Custom and journal blocks so far: no packets, though tshark numbers them among the packets."""
        return int(self.interfaces.state[OTHER_RECORDS])

    def batches(self) -> Iterator[PacketBatch]:
        """Walk chunk by chunk; at a fault hand out what is whole, then raise."""
        chunks, columns = self.chunks, self.columns
        fields = (columns.offset, columns.captured, columns.wire_length, columns.time_ns)
        while True:
            bounds = (chunks.start, chunks.stop)
            count, at, link_type, status = walk_blocks(chunks.buffer, *bounds, self.is_big, self.interfaces, *fields)
            chunks.start = at
            if count:
                self.check_link_type(link_type)
                yield columns.batch(chunks.buffer, count, link_type)
            if status == NEED_MORE:
                if not chunks.fill(self._wanted()):
                    if chunks.stop > chunks.start:
                        raise self.broken("the file ends in the middle of a block")
                    return
            elif status == OTHER_BLOCK:
                self._block()
            elif status not in (FULL, LINK_CHANGED):
                raise self.broken(REASONS[status])

    def _wanted(self) -> int:
        """Bytes of the next block, if its head is there: a buffer may have to grow for it."""
        chunks = self.chunks
        if chunks.stop - chunks.start < 8:
            return 0
        return int(self._u32(chunks.start + 4)) if not self._is_section() else 28

    def _u32(self, at: int) -> int:
        return int.from_bytes(self.chunks.buffer[at : at + 4].tobytes(), "big" if self.is_big else "little")

    def _is_section(self) -> bool:
        return self._u32(self.chunks.start) == SECTION_HEADER

    def _block(self) -> None:
        """A section or interface block: the kernel has left it whole at `start`, but for a section's byte order."""
        if self._is_section():
            self._section()
            return
        chunks = self.chunks
        length = self._u32(chunks.start + 4)
        body = chunks.buffer[chunks.start + 8 : chunks.start + length - 4].tobytes()
        if len(body) < 8:
            raise self.broken("an interface block is too short")
        order = ">" if self.is_big else "<"
        link_type, _, snap_length = struct.unpack_from(order + "HHI", body)
        resolution, offset_s = 6, 0
        for code, value in _options(body[8:], order):
            if code == OPTION_RESOLUTION and value:
                resolution = value[0]
            elif code == OPTION_OFFSET and len(value) == 8:
                (offset_s,) = struct.unpack(order + "q", value)
        row = interface_row(link_type, snap_length, resolution, offset_s)
        self.interfaces = self.interfaces._replace(rows=np.concatenate((self.interfaces.rows, row)))
        chunks.start += length

    def _section(self) -> None:
        chunks = self.chunks
        if not chunks.has(12):
            raise self.broken("the file ends in the middle of a block")
        start = chunks.start
        magic = chunks.buffer[start + 8 : start + 12].tobytes()
        if magic not in (BYTE_ORDER.to_bytes(4, "big"), BYTE_ORDER.to_bytes(4, "little")):
            raise self.broken(f"a section header has no byte order ({magic.hex(' ')})")
        self.is_big = magic == BYTE_ORDER.to_bytes(4, "big")
        length = self._u32(start + 4)
        if length < 28 or length % 4 or length > LARGEST_BLOCK:
            raise self.broken(REASONS[BROKEN_BLOCK])
        if not chunks.has(length):
            raise self.broken("the file ends in the middle of a block")
        major = int.from_bytes(
            chunks.buffer[chunks.start + 12 : chunks.start + 14].tobytes(), "big" if self.is_big else "little"
        )
        if major != 1:
            raise self.broken(f"pcapng version {major} is not known")
        self.interfaces = self.interfaces._replace(rows=np.zeros(0, INTERFACE_ROW))
        chunks.start += length


REASONS = {
    BROKEN_BLOCK: "a block's length makes no sense: the file is damaged",
    TOO_LONG: f"a packet claims more than {MAX_CAPTURED} bytes, or more than its block holds: the file is damaged",
    UNKNOWN_INTERFACE: "a packet names an interface that no block has described",
}


def _options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from(order + "HH", data, at)
        if code == OPTION_END:
            return
        yield code, data[at + 4 : at + 4 + length]
        at += 4 + (length + 3 & ~3)


@inline
def number(buffer, at, is_big):
    return u32(buffer, at) if is_big else le32(buffer, at)


@kernel
def walk_blocks(buffer, start, stop, is_big, interfaces, offset, captured, wire_length, time_ns):
    """Fill columns with packets of one link type; answers (count, where to go on, the link type, why it ended)."""
    count, at, link_type = 0, start, -1
    while count < len(offset):
        if stop - at < 12:
            return count, at, link_type, NEED_MORE
        kind, length = number(buffer, at, is_big), number(buffer, at + 4, is_big)
        if kind == SECTION_HEADER:
            return count, at, link_type, OTHER_BLOCK
        if length < 12 or length & 3 or length > LARGEST_BLOCK:
            return count, at, link_type, BROKEN_BLOCK
        if stop - at < length:
            return count, at, link_type, NEED_MORE
        if number(buffer, at + length - 4, is_big) != length:
            return count, at, link_type, BROKEN_BLOCK
        if kind == INTERFACE:
            return count, at, link_type, OTHER_BLOCK
        if kind in (PACKET_BLOCK, SIMPLE_PACKET, OLD_PACKET):
            found, fault = packet_block(
                buffer, at, length, kind, is_big, interfaces, count, offset, captured, wire_length, time_ns
            )
            if fault:
                return count, at, link_type, fault
            if count and found != link_type:
                return count, at, link_type, LINK_CHANGED
            link_type = found
            interfaces.state[LAST_TIME_NS] = time_ns[count]
            count += 1
        elif kind in (CUSTOM_BLOCK, CUSTOM_BLOCK_NOT_COPIED, JOURNAL_BLOCK):
            interfaces.state[OTHER_RECORDS] += 1
        at += length
    return count, at, link_type, FULL


@inline
def packet_block(buffer, at, length, kind, is_big, interfaces, row, offset, captured, wire_length, time_ns):
    """Fill one row of the columns; answers (link type, fault or 0)."""
    head = 12 if kind == SIMPLE_PACKET else 28
    if length < head + 4:
        return -1, BROKEN_BLOCK
    which = np.int64(0)
    if kind == PACKET_BLOCK:
        which = number(buffer, at + 8, is_big)
    elif kind == OLD_PACKET:
        which = u16(buffer, at + 8) if is_big else le16(buffer, at + 8)
    if which >= len(interfaces.rows):
        return -1, UNKNOWN_INTERFACE
    interface = interfaces.rows[which]
    if kind == SIMPLE_PACKET:
        whole = number(buffer, at + 8, is_big)
        here = min(whole, length - 16)
        if interface["snap_length"] > 0:
            here = min(here, interface["snap_length"])
        time_ns[row] = interfaces.state[LAST_TIME_NS]
    else:
        here, whole = number(buffer, at + 20, is_big), number(buffer, at + 24, is_big)
        ticks = number(buffer, at + 12, is_big) << 32 | number(buffer, at + 16, is_big)
        time_ns[row] = clock(ticks, interface) + interface["offset_ns"]
    if here > MAX_CAPTURED or here > length - head - 4:
        return -1, TOO_LONG
    offset[row] = at + head
    captured[row] = here
    wire_length[row] = min(whole, LARGEST_LENGTH)
    return interface["link_type"], 0


@inline
def clock(ticks, interface):
    """Nanoseconds; without a division where ticks are us or ns, and without overflow where they are 2^-k s."""
    shift = interface["shift"]
    if shift < 0:
        if interface["divide"] == 1:
            return ticks * interface["multiply"]
        return ticks // interface["divide"]
    if shift > 62:
        return np.int64(0)
    whole, part = ticks, ticks & ((np.int64(1) << shift) - 1)
    if shift > 0:
        whole = ticks >> shift & ((np.int64(1) << (64 - shift)) - 1)  # a full 64-bit count of fractions is no negative
    if shift > 33:
        part, shift = part >> (shift - 33), np.int64(33)
    return whole * SECOND + (part * SECOND >> shift)


def section_header() -> bytes:
    """A section header block, little-endian, its length left open."""
    return struct.pack("<IIIHHqI", SECTION_HEADER, 28, BYTE_ORDER, 1, 0, -1, 28)


def interface_block(link_type: int) -> bytes:
    """An interface block with a clock of nanoseconds."""
    options = struct.pack("<HHB3xHH", OPTION_RESOLUTION, 1, 9, OPTION_END, 0)
    length = 20 + len(options)
    return struct.pack("<IIHHI", INTERFACE, length, link_type, 0, MAX_CAPTURED) + options + struct.pack("<I", length)


def pcapng_packets(batch: PacketBatch, interface: int) -> memoryview:
    """The packet blocks of a batch, ready to be appended to a file or stream."""
    padded = (batch.captured.astype(np.int64) + 3) & ~3
    out = np.zeros(int(padded.sum()) + 32 * batch.packets, np.uint8)
    pack_blocks(batch.buffer, batch.offset, batch.captured, batch.wire_length, batch.time_ns, interface, out)
    return memoryview(out)


@kernel
def pack_blocks(buffer, offset, captured, wire_length, time_ns, interface, out):
    at = 0
    for index in range(len(offset)):
        here, start = np.int64(captured[index]), offset[index]
        length = 32 + ((here + 3) & ~3)
        put_le32(out, at, PACKET_BLOCK)
        put_le32(out, at + 4, length)
        put_le32(out, at + 8, interface)
        put_le32(out, at + 12, time_ns[index] >> 32 & 0xFFFFFFFF)
        put_le32(out, at + 16, time_ns[index] & 0xFFFFFFFF)
        put_le32(out, at + 20, here)
        put_le32(out, at + 24, np.int64(wire_length[index]))
        copy_bytes(out, at + 28, buffer, start, here)
        put_le32(out, at + length - 4, length)
        at += length
    return at


class PcapngWriter:
    """Writes batches of any link types to a path or an open binary file (which stays open)."""

    def __init__(self, target: Path | str | BinaryIO) -> None:
        self.is_own = isinstance(target, (str, Path))
        self.file: BinaryIO = open(target, "wb") if isinstance(target, (str, Path)) else target  # noqa: SIM115, PTH123
        self.numbers: dict[int, int] = {}
        self.packets = 0
        self.bytes_written = self.file.write(section_header())

    def write(self, batch: PacketBatch) -> None:
        """Append a batch, and before it an interface if its link type is new."""
        if batch.link_type not in self.numbers:
            if batch.link_type not in LINK_TYPES:
                raise ValueError(f"link type {batch.link_type} is not known")
            self.numbers[batch.link_type] = len(self.numbers)
            self.bytes_written += self.file.write(interface_block(batch.link_type))
        self.bytes_written += self.file.write(pcapng_packets(batch, self.numbers[batch.link_type]))
        self.packets += batch.packets

    def close(self) -> None:
        """Close the file, if this writer opened it."""
        if self.is_own:
            self.file.close()

    def __enter__(self) -> PcapngWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
