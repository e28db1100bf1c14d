"""The index of a segment, NAME.idx beside NAME.pcap: which flow each packet belongs to, and which flows there are.

    head       as of every segment (catalog.py), version 2: a directory follows
    directory  for each of BLOCKS its offset, length and CRC-32; then the CRC-32 of head and directory
    lengths    u2 per packet: captured bytes, LONG: look into the record
    numbers    u4 per packet: 2 x flow + direction, UNSURE: only the packet itself can tell
    marks      MARK for every 64th packet: where its record begins, and its time
    flows4     FLOW4 per IPv4 flow, numbered from 0; flows6 goes on with the numbers
    summary    what occurs at all: addresses sorted, ports, protocols, VNIs

Little-endian, as it lies in memory. A flow is (addresses, ports, protocol, vlan, vni) in both directions, within one
segment; direction 0 is that of its first packet. No lists of packets per flow: comparing 400,000 numbers takes 0.1 ms.
"""

from __future__ import annotations

import struct
import zlib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cstor.store.catalog import HEAD, INDEXED, Segment, pack_head, read_head

BLOCKS = ("lengths", "numbers", "marks", "flows4", "flows6", "summary")
_ENTRY = struct.Struct("<QQI")
_CRC = struct.Struct("<I")
DIRECTORY_END = HEAD.size + _ENTRY.size * len(BLOCKS) + _CRC.size

LONG = 65_535  # captured bytes from here on
UNSURE = 2**32 - 1
EVERY = 64  # packets between marks
PLAIN, ONE_TUNNEL, IS_V6 = 1, 2, 4  # bits of a flow: IP right behind the link header; exactly one tunnel layer; IPv6
PORT_BYTES, PROTOCOL_BYTES = 8192, 32

MARK = np.dtype([("offset", "<u8"), ("time_ns", "<u8")])
_REST = [
    ("a_port", "<u2"),
    ("b_port", "<u2"),
    ("vni", "<i4"),  # -1 none
    ("vlan", "<i2"),  # -1 none
    ("protocol", "u1"),
    ("bits", "u1"),
    ("flags", "<u4"),  # TCP flags that any packet had
    ("packets", "<u4"),
    ("bytes", "<u8"),  # on the wire
    ("first", "<u4"),  # number of its first and last packet
    ("last", "<u4"),
]
FLOW4 = np.dtype([("a", "<u4"), ("b", "<u4"), *_REST])
FLOW6 = np.dtype([("a_hi", "<i8"), ("a_lo", "<i8"), ("b_hi", "<i8"), ("b_lo", "<i8"), *_REST])
_SUMMARY = struct.Struct("<QQQQ")  # packets without a flow, IPv4 addresses, IPv6 addresses, VNIs


class IndexDamaged(Exception):
    """A block that is not what the directory says: the segment is searched without its index."""


class Summary(NamedTuple):
    """What occurs in a segment."""

    unsure: int  # packets without a flow
    v4: np.ndarray  # u4, sorted
    v6: np.ndarray  # S16, sorted, in network order
    vnis: np.ndarray  # i4, sorted; -1: packets without
    ports: np.ndarray  # u1[8192], a bit per port
    protocols: np.ndarray  # u1[32]


def pack_summary(summary: Summary) -> bytes:
    """The bytes of the summary block."""
    sizes = _SUMMARY.pack(summary.unsure, len(summary.v4), len(summary.v6), len(summary.vnis))
    arrays = (summary.ports, summary.protocols, summary.v4, summary.vnis, summary.v6)
    return sizes + b"".join(array.tobytes() for array in arrays)


def read_summary(content: bytes) -> Summary:
    """The summary of its block."""
    unsure, v4, v6, vnis = _SUMMARY.unpack_from(content)
    at = _SUMMARY.size
    found = []
    kinds = (("u1", PORT_BYTES), ("u1", PROTOCOL_BYTES), ("<u4", v4), ("<i4", vnis), ("V16", v6))
    for kind, count in kinds:
        found.append(np.frombuffer(content, kind, count, at))
        at += count * np.dtype(kind).itemsize
    ports, protocols, addresses, networks, long_addresses = found
    return Summary(unsure, addresses, long_addresses.view("S16"), networks, ports, protocols)


def pack_index(segment: Segment, flows: int, blocks: dict[str, bytes]) -> bytes:
    """A whole index file."""
    at = DIRECTORY_END
    directory = b""
    for name in BLOCKS:
        directory += _ENTRY.pack(at, len(blocks[name]), zlib.crc32(blocks[name]))
        at += len(blocks[name])
    head = pack_head(segment, flows) + directory
    return head + _CRC.pack(zlib.crc32(head)) + b"".join(blocks[name] for name in BLOCKS)


class SegmentIndex:
    """The index of a sealed segment; blocks are read when they are needed. IndexDamaged, FileNotFoundError."""

    def __init__(self, path: Path, segment: Segment) -> None:
        self.path = path
        self.segment = segment
        with path.open("rb") as file:
            start = file.read(DIRECTORY_END)
        if len(start) < DIRECTORY_END or _CRC.unpack(start[-_CRC.size :])[0] != zlib.crc32(start[: -_CRC.size]):
            raise IndexDamaged(f"{path}: the directory is damaged")
        entries = _ENTRY.iter_unpack(start[HEAD.size : -_CRC.size])
        self._entries = dict(zip(BLOCKS, entries, strict=True))

    def block(self, name: str) -> bytes:
        """The bytes of a block, checked."""
        offset, length, crc = self._entries[name]
        with self.path.open("rb") as file:
            file.seek(offset)
            content = file.read(length)
        if len(content) < length or zlib.crc32(content) != crc:
            raise IndexDamaged(f"{self.path}: block {name} is damaged")
        return content

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.frombuffer(self.block("lengths"), "<u2")

    @cached_property
    def numbers(self) -> np.ndarray:
        return np.frombuffer(self.block("numbers"), "<u4")

    @cached_property
    def marks(self) -> np.ndarray:
        return np.frombuffer(self.block("marks"), MARK)

    @cached_property
    def flows4(self) -> np.ndarray:
        return np.frombuffer(self.block("flows4"), FLOW4)

    @cached_property
    def flows6(self) -> np.ndarray:
        return np.frombuffer(self.block("flows6"), FLOW6)

    @cached_property
    def summary(self) -> Summary:
        return read_summary(self.block("summary"))


def open_index(segment: Segment) -> SegmentIndex | None:
    """The index of a segment, None where it has none (it is being written, or older), or one that is damaged."""
    path = segment.path.with_suffix(".idx")
    try:
        if not has_index(path):
            return None
        return SegmentIndex(path, segment)
    except (OSError, IndexDamaged):
        return None


def has_index(path: Path) -> bool:
    """Whether a directory follows the head."""
    with path.open("rb") as file:
        head = file.read(HEAD.size)
    return len(head) == HEAD.size and HEAD.unpack(head)[1] == INDEXED


def verify(path: Path) -> str | None:
    """What is wrong with an index file, None if nothing is; for `cstor check`."""
    segment = read_head(path)
    if segment is None:
        return "no whole head"
    if not has_index(path):
        return None
    try:
        index = SegmentIndex(path, segment)
        for name in BLOCKS:
            index.block(name)
    except IndexDamaged as error:
        return str(error).partition(": ")[2]
    sizes = (len(index.lengths), len(index.numbers), len(index.marks) * EVERY)
    if sizes[0] != segment.packets or sizes[1] != segment.packets or not 0 <= sizes[2] - segment.packets < EVERY:
        return f"{segment.packets} packets by the head, {sizes[0]} by the index"
    flows = len(index.flows4) + len(index.flows6)
    known = index.numbers[index.numbers != UNSURE]
    if len(known) and int(known.max()) >= 2 * flows:
        return f"a packet of flow {int(known.max()) // 2}, but there are {flows}"
    return None
