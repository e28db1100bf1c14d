"""Several nodes' packet answers as one pcap, in time order, while they arrive.

Each node streams a nanosecond pcap (draft-ietf-opsawg-pcap) that is already ordered. The merge holds one chunk per
node, never a whole file. The file layout is read here by itself, since the console does not import the packet kernels.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FILE_HEAD = struct.Struct("<IHHiIII")
RECORD_HEAD = struct.Struct("<IIII")
NANOSECOND_MAGIC = 0xA1B23C4D
LINK_TYPES = {
    0: "NULL",
    1: "Ethernet",
    9: "PPP",
    101: "raw IP",
    104: "Cisco HDLC",
    113: "Linux cooked",
    276: "Linux cooked v2",
}
FLUSH_BYTES = 1 << 16


class MergeError(Exception):
    """An answer that cannot become part of the file; the text says which and why."""


@dataclass
class PacketStream:
    """One node's answer: its name, its link type and its records as they arrive."""

    name: str
    link_type: int
    snap_length: int
    chunks: Iterator[bytes]
    rest: bytes = b""

    def records(self) -> Iterator[tuple[tuple[int, int], bytes]]:
        """((seconds, nanoseconds), record with its head), in the order of arrival. MergeError when cut short."""
        data, position = self.rest, 0
        while True:
            while len(data) - position >= RECORD_HEAD.size:
                seconds, nanoseconds, captured, _ = RECORD_HEAD.unpack_from(data, position)
                end = position + RECORD_HEAD.size + captured
                if end > len(data):
                    break
                yield (seconds, nanoseconds), data[position:end]
                position = end
            chunk = next(self.chunks, None)
            if chunk is None:
                break
            data, position = data[position:] + chunk, 0
        if position != len(data):
            raise MergeError(f"the answer of {self.name} ends in the middle of a packet")


def open_stream(name: str, chunks: Iterable[bytes]) -> PacketStream:
    """Read the file head of one node's answer. MergeError if it is not a nanosecond pcap."""
    source, head = iter(chunks), b""
    while len(head) < FILE_HEAD.size:
        chunk = next(source, None)
        if chunk is None:
            raise MergeError(f"the answer of {name} ends before its file head")
        head += chunk
    magic, *_, snap_length, link_type = FILE_HEAD.unpack_from(head)
    if magic != NANOSECOND_MAGIC:
        raise MergeError(f"the answer of {name} is not a nanosecond pcap (magic {magic:#010x})")
    return PacketStream(name, link_type & 0xFFFF, snap_length, source, head[FILE_HEAD.size :])


def merge(streams: list[PacketStream]) -> Iterator[bytes]:
    """One pcap out of all streams. MergeError if their link types differ: a pcap holds one."""
    links = {stream.link_type for stream in streams}
    if len(links) > 1:
        told = "; ".join(f"{stream.name}: {LINK_TYPES.get(stream.link_type, stream.link_type)}" for stream in streams)
        raise MergeError(
            f"a pcap holds one link type, but the nodes' packets have several ({told}); ask one node at a time"
        )
    return _merged(streams, links.pop() if links else 1)


def _merged(streams: list[PacketStream], link_type: int) -> Iterator[bytes]:
    snap_length = max((stream.snap_length for stream in streams), default=262144)
    pending = [FILE_HEAD.pack(NANOSECOND_MAGIC, 2, 4, 0, 0, snap_length, link_type)]
    size = 0
    for _, record in heapq.merge(*(stream.records() for stream in streams), key=lambda found: found[0]):
        pending.append(record)
        size += len(record)
        if size >= FLUSH_BYTES:
            yield b"".join(pending)
            pending, size = [], 0
    if pending:
        yield b"".join(pending)
