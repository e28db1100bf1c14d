"""Capture files: `open_capture` for either format, and pcap's reader and writer (draft-ietf-opsawg-pcap).

Both byte orders, micro- and nanoseconds, and the variant with longer record heads that old Linux distributions wrote.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wire.packets.batch import PacketBatch, batch_of
from wire.packets.bigendian import copy_bytes, le32, put_le32, u32
from wire.packets.capturefile import FULL, NEED_MORE, TOO_LONG, CaptureError, CaptureReader, Chunks
from wire.packets.jit import kernel, prefetch
from wire.packets.layout import LINK_ETHERNET, MAX_CAPTURED
from wire.packets.mapped import map_capture
from wire.packets.pcapng import SECTION_HEADER, PcapngReader

__all__ = ["CaptureError", "PcapReader", "PcapWriter", "open_capture", "pcap_header", "pcap_records", "read_capture"]

MICROSECONDS, NANOSECONDS, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
FILE_HEAD = 24
RECORD_HEAD = 16
AHEAD = 4096  # bytes of a map that are asked for before they are walked
LARGEST_LENGTH = 2**31 - 1


def open_capture(path: Path | str) -> CaptureReader:
    """A reader for a pcap or pcapng file, told apart by its first bytes; raises CaptureError for anything else."""
    path = Path(path)
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise CaptureError(path, 0, error.strerror or str(error)) from error
    return read_capture(file, path)


def read_capture(file: BinaryIO, path: Path | str) -> CaptureReader:
    """A reader for an unbuffered stream, called `path` in messages; it closes the stream."""
    try:
        chunks = map_capture(Path(path), file) or Chunks(Path(path), file)
        if not chunks.has(4):
            raise chunks.error("the file is empty" if chunks.stop == 0 else f"not a capture: only {chunks.stop} bytes")
        magic = int.from_bytes(chunks.buffer[:4].tobytes(), "big")
        if magic == SECTION_HEADER:
            return PcapngReader(chunks)
        return PcapReader(chunks)
    except BaseException:
        file.close()
        raise


class PcapReader(CaptureReader):
    """One link type, one time unit, records one after the other."""

    def __init__(self, chunks: Chunks) -> None:
        super().__init__(chunks)
        head = chunks.buffer[:FILE_HEAD].tobytes() if chunks.has(FILE_HEAD) else chunks.buffer[: chunks.stop].tobytes()
        self.is_big, magic = _byte_order(chunks, head)
        if len(head) < FILE_HEAD:
            raise chunks.error(f"the file ends inside its header ({len(head)} of {FILE_HEAD} bytes)")
        major, minor = struct.unpack(">HH" if self.is_big else "<HH", head[4:8])
        if major != 2:
            raise chunks.error(f"pcap version {major}.{minor} is not known")
        self.nanoseconds = magic == NANOSECONDS
        self.record_head = RECORD_HEAD + 8 if magic == MODIFIED else RECORD_HEAD
        (network,) = struct.unpack(">I" if self.is_big else "<I", head[20:24])
        self.link_type = network & 0xFFFF  # above it: whether frames end with a check sequence
        self.check_link_type(self.link_type)
        chunks.start = FILE_HEAD

    def batches(self) -> Iterator[PacketBatch]:
        """Walk chunk by chunk; at a fault hand out what is whole, then raise."""
        chunks, columns = self.chunks, self.columns
        unit = 1 if self.nanoseconds else 1000
        while True:
            bounds = (chunks.start, chunks.stop)
            ahead = AHEAD if chunks.is_mapped else 0
            fields = (columns.offset, columns.captured, columns.wire_length, columns.time_ns)
            count, at, status = walk_records(
                chunks.buffer, *bounds, self.is_big, self.record_head, unit, ahead, *fields
            )
            chunks.start = at
            if count:
                yield columns.batch(chunks.buffer, count, self.link_type)
            if status == TOO_LONG:
                raise self.broken(f"a packet record claims more than {MAX_CAPTURED} bytes: the file is damaged")
            if status == NEED_MORE and not chunks.fill():
                if chunks.stop > chunks.start:
                    raise self.broken("the file ends in the middle of a packet")
                return


def _byte_order(chunks: Chunks, head: bytes) -> tuple[bool, int]:
    for is_big in (False, True):
        magic = int.from_bytes(head[:4], "big" if is_big else "little")
        if magic in (MICROSECONDS, NANOSECONDS, MODIFIED):
            return is_big, magic
    if head[:2] == b"\x1f\x8b":
        raise chunks.error("not a capture: compressed with gzip, unpack it first")
    raise chunks.error(f"not a pcap or pcapng file (it starts with {head[:4].hex(' ')})")


@kernel
def walk_records(buffer, start, stop, is_big, record_head, unit, ahead, offset, captured, wire_length, time_ns):
    """Fill columns with whole records; answers (count, where the next record starts, why it ended).

    A record tells where the next one begins, so that a walk over memory waits for each. It asks for the bytes `ahead`
    of it (0: they are in the cache), every second line: the processor brings lines in pairs.
    """
    count, at = 0, start
    asked = at + ahead
    while count < len(offset):
        if stop - at < record_head:
            return count, at, NEED_MORE
        if is_big:
            seconds, fraction = u32(buffer, at), u32(buffer, at + 4)
            here, whole = u32(buffer, at + 8), u32(buffer, at + 12)
        else:
            seconds, fraction = le32(buffer, at), le32(buffer, at + 4)
            here, whole = le32(buffer, at + 8), le32(buffer, at + 12)
        if here > MAX_CAPTURED:
            return count, at, TOO_LONG
        frame = at + record_head
        if stop - frame < here:
            return count, at, NEED_MORE
        offset[count] = frame
        captured[count] = here
        wire_length[count] = min(whole, LARGEST_LENGTH)
        time_ns[count] = seconds * 1_000_000_000 + fraction * unit
        count += 1
        at = frame + here
        while asked < at + ahead:
            prefetch(buffer, asked)
            asked += 128
    return count, at, FULL


def pcap_header(link_type: int, nanoseconds: bool = True) -> bytes:
    """The 24 bytes before the first record, little-endian."""
    magic = NANOSECONDS if nanoseconds else MICROSECONDS
    return struct.pack("<IHHiIII", magic, 2, 4, 0, 0, MAX_CAPTURED, link_type)


def pcap_records(batch: PacketBatch, nanoseconds: bool = True) -> memoryview:
    """The records of a batch, ready to be appended to a file or stream."""
    out = np.empty(int(batch.captured.sum(dtype=np.int64)) + RECORD_HEAD * batch.packets, np.uint8)
    fields = (batch.offset, batch.captured, batch.wire_length, batch.time_ns)
    pack_records(batch.buffer, *fields, 1 if nanoseconds else 1000, out)
    return memoryview(out)


@kernel
def pack_records(buffer, offset, captured, wire_length, time_ns, unit, out):
    at = 0
    for index in range(len(offset)):
        here, start = np.int64(captured[index]), offset[index]
        put_le32(out, at, time_ns[index] // 1_000_000_000)
        put_le32(out, at + 4, time_ns[index] % 1_000_000_000 // unit)
        put_le32(out, at + 8, here)
        put_le32(out, at + 12, np.int64(wire_length[index]))
        at += RECORD_HEAD
        copy_bytes(out, at, buffer, start, here)
        at += here
    return at


class PcapWriter:
    """Writes one link type to a path or an open binary file (which stays open)."""

    def __init__(self, target: Path | str | BinaryIO, link_type: int = LINK_ETHERNET, nanoseconds: bool = True) -> None:
        self.is_own = isinstance(target, (str, Path))
        self.file: BinaryIO = open(target, "wb") if isinstance(target, (str, Path)) else target  # noqa: SIM115, PTH123
        self.link_type = link_type
        self.nanoseconds = nanoseconds
        self.packets = 0
        self.bytes_written = self.file.write(pcap_header(link_type, nanoseconds))

    def write(self, batch: PacketBatch) -> None:
        """Append a batch of the writer's link type."""
        if batch.link_type != self.link_type:
            raise ValueError(f"a pcap file holds one link type: {self.link_type} here, {batch.link_type} given")
        self.bytes_written += self.file.write(pcap_records(batch, self.nanoseconds))
        self.packets += batch.packets

    def write_frame(self, frame: bytes, time_ns: int, wire_length: int | None = None) -> None:
        """Append one frame, where speed does not matter."""
        self.write(batch_of([frame], [time_ns], [len(frame) if wire_length is None else wire_length], self.link_type))

    def close(self) -> None:
        """Close the file, if this writer opened it."""
        if self.is_own:
            self.file.close()

    def __enter__(self) -> PcapWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
