"""What packets are stored for which time: the heads beside the segments, read once each.

A segment NAME.pcap has a head NAME.idx. Sealed, the head is one record; being written, each flush appends one, and
the last whole record (its CRC fits) tells how far the pcap may be read. Sealing moves the pcap, then writes its head,
then drops the live head: whoever lists the live folder first misses nothing.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cstor.store.layout import LIVE, SECOND_NS, hour_folder, hour_of, hours

MAGIC = b"cStorIdx"
VERSION, INDEXED = 1, 2  # INDEXED: of a sealed segment, its index follows the head (index.py)
# magic, version, flags (1 = times ascend), link type, first ns, last ns, packets, flows (0 = no index), bytes, CRC-32
HEAD = struct.Struct("<8sHHIqqqqqI")
ORDERED = 1


class Segment(NamedTuple):
    """One pcap file of a store (nanoseconds, little-endian); read it to `bytes_valid` and no further."""

    path: Path
    link_type: int
    first_ns: int  # least and greatest time stamp within
    last_ns: int
    packets: int
    bytes_valid: int  # whole records end here; more may follow while the segment is being written
    ordered: bool  # time stamps ascend


def pack_head(segment: Segment, flows: int | None = None) -> bytes:
    """The head record of a segment; with the number of flows, the head of its index."""
    flags = ORDERED if segment.ordered else 0
    version = VERSION if flows is None else INDEXED
    fields = (segment.link_type, segment.first_ns, segment.last_ns, segment.packets, flows or 0, segment.bytes_valid)
    body = HEAD.pack(MAGIC, version, flags, *fields, 0)[:-4]
    return body + struct.pack("<I", zlib.crc32(body))


def read_head(path: Path, size: int | None = None) -> Segment | None:
    """The segment whose head file is `path`, as of its last whole record; None if there is none. `size`: as of the last
    that a pcap of so many bytes has room for."""
    with path.open("rb") as file:
        content = file.read(HEAD.size)
        if len(content) == HEAD.size and HEAD.unpack(content)[1] == INDEXED:
            return _unpack(content, path)
        content += file.read()
    for start in range(len(content) // HEAD.size * HEAD.size - HEAD.size, -1, -HEAD.size):
        segment = _unpack(content[start : start + HEAD.size], path)
        if segment and (size is None or segment.bytes_valid <= size):
            return segment
    return None


def _unpack(record: bytes, path: Path) -> Segment | None:
    magic, version, flags, link_type, first_ns, last_ns, packets, _, size, crc = HEAD.unpack(record)
    if magic != MAGIC or version not in (VERSION, INDEXED) or crc != zlib.crc32(record[:-4]):
        return None
    ordered = bool(flags & ORDERED)
    return Segment(path.with_suffix(".pcap"), link_type, first_ns, last_ns, packets, size, ordered)


def segments(store_dir: Path, start_ns: int, end_ns: int) -> list[Segment]:
    """Segments, the live one too, that may hold packets of [start_ns, end_ns); by time of their first packet."""
    found = {segment.path.name: segment for segment in all_segments(store_dir)}
    chosen = [segment for segment in found.values() if segment.first_ns < end_ns and segment.last_ns >= start_ns]
    return sorted(chosen, key=lambda segment: (segment.first_ns, segment.path.name))


def all_segments(store_dir: Path) -> Iterator[Segment]:
    """Every segment that has packets, the live ones first: one that is sealed meanwhile appears again, sealed."""
    yield from _heads(store_dir / LIVE, cached=False)
    for _, folder in hours(store_dir, "packets"):
        # A segment is filed by the packet that came first, which in an unordered one says little about the others.
        yield from _heads(folder, cached=True)


def open_segment(segment: Segment) -> BinaryIO:
    """Open its file, also if it was sealed since it was listed; FileNotFoundError when retention took it."""
    try:
        return segment.path.open("rb")
    except FileNotFoundError:
        if segment.path.parent.name != LIVE:
            raise
        return sealed_path(segment.path.parent.parent, segment.path.name).open("rb")


def sealed_path(store_dir: Path, name: str) -> Path:
    """Where the segment `name` stands once it is sealed: its name begins with its first packet's time."""
    first_s = int(name.split("-")[0]) // SECOND_NS
    return hour_folder(store_dir, "packets", hour_of(first_s)) / name


_cache: dict[Path, Segment] = {}
_CACHE_MAX = 100_000


def _heads(folder: Path, cached: bool) -> Iterator[Segment]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".idx"))
    except FileNotFoundError:
        return
    for name in names:
        path = folder / name
        segment = _cache.get(path) if cached else None
        if segment is None:
            try:
                segment = read_head(path)
            except FileNotFoundError:
                continue  # sealed or removed since the folder was read
            if segment is None or not segment.packets:
                continue
            if cached and len(_cache) < _CACHE_MAX:
                _cache[path] = segment
        yield segment
