"""Fragmented datagrams (RFC 791 section 3.2, RFC 8200 section 4.5): which fragment completes one, and its first bytes.

Payload is not put together: all that the analysis needs is the whole length, and the bytes in which the transport
header lies (small fragments may cut even that). The table is bounded, set-associative, and counts what it gives up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wire.packets.jit import inline, kernel
from wire.packets.layout import FIRST_FRAGMENT, LAST_FRAGMENT

WAYS = 8
HEAD_BYTES = 256  # enough for a VXLAN header and an inner Ethernet, IPv4 and TCP header with options
HEAD_UNITS = HEAD_BYTES >> 3
UNIT_WORDS = 65536 // 8 // 64  # one bit per 8 bytes of a datagram
LIFETIME_NS = 30_000_000_000  # as Linux: later fragments belong to another datagram of the same number
LARGEST = 65535

DATAGRAM = np.dtype(
    [
        ("src_hi", "i8"),
        ("src_lo", "i8"),
        ("dst_hi", "i8"),
        ("dst_lo", "i8"),
        ("ip_id", "i8"),
        ("since_ns", "i8"),  # time of the first fragment seen
        ("vni", "i4"),
        ("vlan", "i4"),
        ("total", "i4"),  # payload bytes, -1 until the last fragment was seen
        ("units", "i4"),  # of 8 bytes, seen so far
        ("head_seen", "i8"),  # bit per unit of the head that was captured
        ("protocol", "i4"),  # of the transport, from the first fragment; -1 until then
        ("key_protocol", "i2"),  # IPv4 numbers datagrams per protocol; -1 for IPv6
        ("used", "i2"),
    ],
    align=True,
)
COUNTERS = ("fragments", "reassembled", "fragments_evicted", "fragments_expired", "fragments_repeated")
SEEN, REASSEMBLED, EVICTED, EXPIRED, REPEATED = range(len(COUNTERS))


class FragmentTable(NamedTuple):
    """Datagrams of which some fragments were seen."""

    rows: np.ndarray  # DATAGRAM
    units: np.ndarray  # i8, UNIT_WORDS per row
    heads: np.ndarray  # u1, HEAD_BYTES per row
    counters: np.ndarray  # i8, see COUNTERS

    def statistics(self) -> dict[str, int]:
        """The counters by name."""
        return dict(zip(COUNTERS, self.counters.tolist(), strict=True))


def new_fragment_table(capacity: int = 1024) -> FragmentTable:
    """Room for at least `capacity` incomplete datagrams, 1.4 kB each."""
    sets = 1
    while sets * WAYS < capacity:
        sets *= 2
    rows = np.zeros(sets * WAYS, DATAGRAM)
    units = np.zeros(sets * WAYS * UNIT_WORDS, np.int64)
    return FragmentTable(rows, units, np.zeros(sets * WAYS * HEAD_BYTES, np.uint8), np.zeros(len(COUNTERS), np.int64))


@kernel
def add_fragment(table, packet, buffer, at, end, length, protocol):
    """Enter one fragment; answers its row in the table, or -1 - row while the datagram is not complete."""
    slot = find_slot(table, packet)
    row = table.rows[slot]
    offset = np.int64(packet["fragment_offset"])
    is_last = packet["fragment"] == LAST_FRAGMENT
    table.counters[SEEN] += 1
    if is_last and row["total"] < 0:
        row["total"] = offset + length
    if packet["fragment"] == FIRST_FRAGMENT:
        row["protocol"] = protocol
    fresh = mark_units(table.units, slot * UNIT_WORDS, offset >> 3, (offset + length + 7) >> 3)
    if fresh == 0:
        table.counters[REPEATED] += 1
    row["units"] += fresh
    keep_head(table, slot, offset, buffer, at, end, is_last and end - at == length)
    if row["total"] < 0 or row["protocol"] < 0 or row["units"] < (row["total"] + 7) >> 3:
        return -1 - slot
    row["used"] = 0
    table.counters[REASSEMBLED] += 1
    return slot


@kernel
def find_slot(table, packet):
    """The datagram's row, else a fresh one: a free one of its set, or the one that has waited longest."""
    key_protocol = np.int64(packet["protocol"]) if packet["version"] == 4 else -1
    first = (fragment_hash(packet) & (len(table.rows) // WAYS - 1)) * WAYS
    chosen = first
    for slot in range(first, first + WAYS):
        row = table.rows[slot]
        if row["used"] == 0:
            if table.rows[chosen]["used"] != 0:
                chosen = slot
        elif is_same(row, packet, key_protocol):
            if abs(packet["time_ns"] - row["since_ns"]) <= LIFETIME_NS:
                return slot
            chosen = slot
            break
        elif table.rows[chosen]["used"] != 0 and row["since_ns"] < table.rows[chosen]["since_ns"]:
            chosen = slot
    start(table, chosen, packet, key_protocol)
    return chosen


@inline
def fragment_hash(packet):
    mixed = packet["src_lo"] ^ packet["dst_lo"] ^ (packet["ip_id"] << 17) ^ packet["src_hi"] ^ packet["dst_hi"]
    mixed ^= mixed >> 33
    mixed ^= mixed >> 17
    return mixed ^ mixed >> 7


@inline
def is_same(row, packet, key_protocol):
    return (
        row["ip_id"] == packet["ip_id"]
        and row["src_lo"] == packet["src_lo"]
        and row["dst_lo"] == packet["dst_lo"]
        and row["src_hi"] == packet["src_hi"]
        and row["dst_hi"] == packet["dst_hi"]
        and row["key_protocol"] == key_protocol
        and row["vni"] == packet["vni"]
        and row["vlan"] == packet["vlan"]
    )


@kernel
def start(table, slot, packet, key_protocol):
    row = table.rows[slot]
    if row["used"]:
        is_old = abs(packet["time_ns"] - row["since_ns"]) > LIFETIME_NS
        table.counters[EXPIRED if is_old else EVICTED] += 1
    row["src_hi"] = packet["src_hi"]
    row["src_lo"] = packet["src_lo"]
    row["dst_hi"] = packet["dst_hi"]
    row["dst_lo"] = packet["dst_lo"]
    row["ip_id"] = packet["ip_id"]
    row["since_ns"] = packet["time_ns"]
    row["vni"] = packet["vni"]
    row["vlan"] = packet["vlan"]
    row["total"] = -1
    row["units"] = 0
    row["head_seen"] = 0
    row["protocol"] = -1
    row["key_protocol"] = key_protocol
    row["used"] = 1
    for word in range(slot * UNIT_WORDS, (slot + 1) * UNIT_WORDS):
        table.units[word] = 0


@kernel
def mark_units(units, base, first, stop):
    """Set a run of bits; answers how many were not set before."""
    fresh = 0
    for unit in range(first, stop):
        word, bit = base + (unit >> 6), np.int64(1) << (unit & 63)
        if units[word] & bit == 0:
            units[word] |= bit
            fresh += 1
    return fresh


@kernel
def keep_head(table, slot, offset, buffer, at, end, is_whole_tail):
    """Copy what lies in the head of the datagram, and note which units of it are whole."""
    count = min(end - at, HEAD_BYTES - offset)
    target = slot * HEAD_BYTES + offset
    for index in range(count):
        table.heads[target + index] = buffer[at + index]
    units = (count + 7) >> 3 if is_whole_tail else count >> 3
    for unit in range(offset >> 3, (offset >> 3) + units):
        table.rows[slot]["head_seen"] |= np.int64(1) << unit


@kernel
def head_length(row):
    """Bytes of the head that are there without a hole, at most the whole datagram."""
    units = 0
    while units < HEAD_UNITS and row["head_seen"] >> units & 1:
        units += 1
    return min(units << 3, np.int64(row["total"])) if row["total"] >= 0 else units << 3
