"""Capture duplicates: the same packet captured twice on one link, as where both a port and its VLAN are mirrored.

Marked before the analysis, which counts them in `duplicates_*` and in nothing else (METRICS, Loss). IPv4 with an ID
other than 0: same addresses, ID and bytes after the header; ID 0 (RFC 6864 allows it for what is never fragmented) or
IPv6: same bytes, at most 1 ms apart, since a sender may truly repeat an ACK. TTL, MAC addresses and VLAN tags may
differ. The same packet under another VNI is the copy of another mirror point and stays.

Recent packets are known by a hash of 62 bits in a set-associative table of fixed size; a copy does not renew the time
of what it is a copy of, so that endless repetition is not all taken for duplicates.
"""

from __future__ import annotations

import secrets

import numpy as np

from cstor.flows.hashing import mix, mix_address
from wire.packets.batch import PacketBatch, batch_of
from wire.packets.bigendian import u8, u32
from wire.packets.jit import inline, kernel
from wire.packets.layout import DUPLICATE, new_packets

WAYS = 4
SETS = 16_384  # 65,536 packets: 3 ms at 20 million packets/s
UNNUMBERED_NS = 1_000_000
NEVER = -(1 << 62)
HASH, TIME = 0, 1


class Duplicates:
    """Marks the duplicates of one stream; lives as long as it. `window_ns` 0 marks nothing."""

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self.found = 0
        self._seed = secrets.randbits(32)
        self._recent = np.full((SETS * WAYS if window_ns else 0, 2), NEVER, np.int64)

    def mark(self, batch: PacketBatch, packets: np.ndarray) -> None:
        """Set DUPLICATE in the `marks` of records that repeat an earlier one; they are those of the batch."""
        if self.window_ns:
            columns = (batch.buffer, batch.offset, batch.captured)
            self.found += mark_duplicates(self._recent, self._seed, self.window_ns, *columns, packets)


def warm_up() -> None:
    """Compile, or load, the kernel."""
    Duplicates(1).mark(batch_of([]), new_packets(0))


@kernel
def mark_duplicates(recent, seed, window_ns, buffer, offset, captured, packets):
    """Mark what is found among the recent packets, remember what is not; answers how many were marked."""
    found = 0
    for at in range(len(packets)):
        packet = packets[at]
        if packet["version"] == 0 or packet["ip_offset"] < 0:
            continue
        first = offset[at] + packet["ip_offset"]
        end = min(offset[at] + captured[at], first + packet["ip_length"])
        header = (u8(buffer, first) & 15) * 4 if packet["version"] == 4 else 40
        tag = packet_tag(seed, buffer, first + header, end, packet)
        is_numbered = packet["version"] == 4 and packet["ip_id"] > 0
        if is_recent(recent, tag, packet["time_ns"], window_ns if is_numbered else min(window_ns, UNNUMBERED_NS)):
            packet["marks"] |= DUPLICATE
            found += 1
    return found


@kernel
def packet_tag(seed, buffer, at, end, packet):
    """62 bits over mirror point, addresses, ID, place in the datagram and the bytes after the IP header."""
    one = mix_address(seed, packet["src_hi"], packet["src_lo"])
    one = mix(mix_address(one, packet["dst_hi"], packet["dst_lo"]), np.int64(packet["vni"]) & 0xFFFFFFFF)
    two = mix(mix(one ^ 0x5BD1E995, packet["ip_id"] & 0xFFFFFFFF), packet["ip_length"] & 0xFFFFFFFF)
    two = mix(two, np.int64(packet["fragment_offset"]) << 8 | np.int64(packet["protocol"]))
    while at < end:
        word = u32(buffer, at) if at + 4 <= end else u8(buffer, at) + 0x100
        # Two chains over the same words: either alone has 32 bits and would mistake one packet in some 65,000.
        one = mix(one, word)
        two = mix(two, word)
        at += 4 if at + 4 <= end else 1
    low = mix(one, two)
    return (mix(two, low) & 0x3FFFFFFF) << 32 | low


@inline
def is_recent(recent, tag, now, limit_ns):
    """True if this packet was seen so shortly before (or after: times may be out of order); else it is remembered."""
    first = (tag % SETS) * WAYS
    oldest = first
    for way in range(first, first + WAYS):
        if recent[way, HASH] == tag and abs(now - recent[way, TIME]) <= limit_ns:
            return True
        if recent[way, TIME] < recent[oldest, TIME]:
            oldest = way
    recent[oldest, HASH] = tag
    recent[oldest, TIME] = now
    return False
