"""Small stores for search tests: segments of hand-made TCP frames, laid down as the node lays them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from cstor.search.run import Search
from cstor.store.catalog import Segment, pack_head, sealed_path
from cstor.store.layout import LIVE, open_store
from wire.packets.layout import LINK_ETHERNET, LINK_RAW
from wire.packets.pcap import PcapWriter

SECOND = 1_000_000_000
NOON = 1_700_000_000 * SECOND
MACS = bytes.fromhex("0a0000000001 0a0000000002")
SYN, ACK = 2, 16


def tcp(src: str, dst: str, src_port: int, dst_port: int, flags: int = ACK, size: int = 0) -> bytes:
    """An IPv4 packet with a TCP segment of `size` bytes."""
    segment = struct.pack(">HHIIBBHHH", src_port, dst_port, 1, 1, 0x50, flags, 1000, 0, 0) + bytes(size)
    addresses = IPv4Address(src).packed + IPv4Address(dst).packed
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0) + addresses + segment


def ethernet(packet: bytes) -> bytes:
    return MACS + b"\x08\x00" + packet


def numbered(number: int, link_type: int = LINK_ETHERNET, size: int = 0) -> bytes:
    """A frame that tells its number by its source port."""
    packet = tcp("10.0.0.1", "10.0.0.2", 10000 + number, 80, size=size)
    return packet if link_type == LINK_RAW else ethernet(packet)


def add_segment(
    store: Path,
    sequence: int,
    frames: Sequence[tuple[int, bytes]],
    link_type: int = LINK_ETHERNET,
    live: bool = False,
    torn: bytes = b"",
) -> Segment:
    """A segment of (time, frame); `torn` is what a writer has only half written behind it."""
    open_store(store)
    times = [time for time, _ in frames]
    name = f"{min(times)}-{sequence:010d}.pcap"
    path = store / LIVE / name if live else sealed_path(store, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with PcapWriter(path, link_type) as writer:
        for time, frame in frames:
            writer.write_frame(frame, time)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(torn)
    segment = Segment(path, link_type, min(times), max(times), len(frames), size, times == sorted(times))
    path.with_suffix(".idx").write_bytes(pack_head(segment))
    return segment


def answer(search: Search) -> list[tuple[int, int]]:
    """(time, number) of what a search hands out."""
    found = []
    for batch in search:
        for index in range(batch.packets):
            packet = batch.frame(index)[0 if batch.link_type == LINK_RAW else 14 :]
            found.append((int(batch.time_ns[index]), int.from_bytes(packet[20:22], "big") - 10000))
    return found
