"""Builds the index of a segment from decoded packets: a small flow table of its own, one segment long.

A packet gets a flow number only where its decoded record says all that a filter over addresses, ports, protocol and
VNI can ask, and libpcap would read the same: no fragments, nothing malformed, no IPv6 extension headers or IPv4
options, no link type whose header leaves doubt. All others are UNSURE: a search looks at them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cstor.flows.hashing import flow_hash
from cstor.store.catalog import Segment, pack_head
from cstor.store.index import (
    EVERY,
    FLOW4,
    FLOW6,
    IS_V6,
    LONG,
    MARK,
    ONE_TUNNEL,
    PLAIN,
    PORT_BYTES,
    PROTOCOL_BYTES,
    UNSURE,
    Summary,
    pack_index,
    pack_summary,
)
from wire.packets.batch import MAX_PACKETS, PacketBatch, batch_of
from wire.packets.bigendian import u16
from wire.packets.capturefile import CaptureError
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.jit import kernel, prefetch
from wire.packets.layout import (
    LINK_ETHERNET,
    LINK_IPV4,
    LINK_IPV6,
    LINK_RAW,
    LINK_SLL,
    empty_packet,
    new_error_counters,
    new_packets,
)
from wire.packets.pcap import FILE_HEAD, RECORD_HEAD, open_capture

KEY = np.dtype(
    [
        ("time_ns", "i8"),
        ("src_hi", "i8"),
        ("src_lo", "i8"),
        ("dst_hi", "i8"),
        ("dst_lo", "i8"),
        ("src_port", "u2"),
        ("dst_port", "u2"),
        ("vlan", "i2"),
        ("protocol", "u1"),
        ("bits", "u1"),
        ("vni", "i4"),
        ("captured", "i4"),
        ("wire_length", "i4"),
        ("flags", "i2"),
        ("is_sure", "u1"),
    ],
    align=True,
)  # what the index needs of a packet, in one cache line
_FLOW = np.dtype(
    [
        ("a_hi", "i8"),
        ("a_lo", "i8"),
        ("b_hi", "i8"),
        ("b_lo", "i8"),
        ("a_port", "i4"),
        ("b_port", "i4"),
        ("vni", "i4"),
        ("vlan", "i2"),
        ("protocol", "u1"),
        ("bits", "u1"),
        ("flags", "i4"),
        ("packets", "i4"),
        ("bytes", "i8"),
        ("first", "i4"),
        ("last", "i4"),
    ],
    align=True,
)
ENTRY_BYTES, FLOW_BYTES = 8, _FLOW.itemsize
FAR, NEAR = 16, 8  # packets ahead of which the table's entry, and then the flow, is asked for
RAW_LINKS = (LINK_RAW, LINK_IPV4, LINK_IPV6, 12, 14)
_ETHERTYPE_AT = {LINK_ETHERNET: 14, LINK_SLL: 16}  # IP follows right behind it
UNKNOWN_LINK, RAW = -1, 0


def link_kind(link_type: int) -> int:
    """Length of the link header where its last two bytes say what follows; RAW; or UNKNOWN_LINK."""
    return RAW if link_type in RAW_LINKS else _ETHERTYPE_AT.get(link_type, UNKNOWN_LINK)


def keys_of(batch: PacketBatch, records: np.ndarray) -> np.ndarray:
    """What the index needs of a batch and its decoded records."""
    keys = np.empty(batch.packets, KEY)
    extract_keys(batch.buffer, batch.offset, np.int64(link_kind(batch.link_type)), records, keys)
    return keys


@kernel
def extract_keys(buffer, offset, link, records, keys):
    """One key per record; `link` is as of link_kind."""
    for index in range(len(records)):
        packet, key = records[index], keys[index]
        key["time_ns"] = packet["time_ns"]
        key["captured"] = packet["captured"]
        key["wire_length"] = packet["wire_length"]
        start, is_v4 = np.int64(packet["ip_offset"]), packet["version"] == 4
        header = 20 if is_v4 else 40
        is_sure = link >= 0 and packet["complete"] == 1 and packet["error"] == 0 and packet["fragment"] == 0
        is_sure = is_sure and start >= 0 and np.int64(packet["l4_offset"]) - start == header
        is_plain = is_sure and packet["tunnels"] == 0 and start == link
        if is_plain and link > 0:
            is_sure = u16(buffer, offset[index] + start - 2) == (0x0800 if is_v4 else 0x86DD)
        key["is_sure"] = is_sure
        key["src_hi"] = packet["src_hi"]
        key["src_lo"] = packet["src_lo"]
        key["dst_hi"] = packet["dst_hi"]
        key["dst_lo"] = packet["dst_lo"]
        key["src_port"] = packet["src_port"]
        key["dst_port"] = packet["dst_port"]
        key["vni"] = packet["vni"]
        key["vlan"] = packet["vlan"]
        key["protocol"] = packet["protocol"]
        key["flags"] = packet["flags"]
        key["bits"] = (
            (PLAIN if is_plain else 0) | (ONE_TUNNEL if packet["tunnels"] == 1 else 0) | (0 if is_v4 else IS_V6)
        )


FLOWS, PACKETS, DONE, OFFSET, MARKS, UNKNOWN = range(6)  # counts: of the segment so far; keys done and marks made now


@kernel
def number_flows(keys, tags, table, flows, out, counts):
    """The number of each packet from keys[DONE] on, new flows entered; stops where the flow table is half full."""
    mask = len(table) - 1
    for index in range(counts[DONE], len(keys)):
        if index + FAR < len(keys):
            prefetch(table, (tags[index + FAR] & mask) * ENTRY_BYTES)
        if index + NEAR < len(keys):
            likely = np.int64(table[tags[index + NEAR] & mask, 1])
            prefetch(flows, likely * FLOW_BYTES)
            prefetch(flows, likely * FLOW_BYTES + 64)
        key = keys[index]
        number = np.int64(UNSURE)
        if key["is_sure"] == 1:
            if 2 * counts[FLOWS] >= mask or counts[FLOWS] == len(flows):
                counts[DONE] = index
                return
            number = find_or_enter(key, np.int64(tags[index]), table, flows, counts, mask)
            flow = flows[number >> 1]
            flow["packets"] += 1
            flow["bytes"] += np.int64(key["wire_length"])
            flow["flags"] |= np.int64(key["flags"])
            flow["last"] = counts[PACKETS]
        else:
            counts[UNKNOWN] += 1
        out.numbers[index] = number
        out.lengths[index] = min(LONG, np.int64(key["captured"]))
        if counts[PACKETS] % EVERY == 0:
            mark = out.marks[counts[MARKS]]
            mark["offset"] = counts[OFFSET]
            mark["time_ns"] = key["time_ns"]
            counts[MARKS] += 1
        counts[OFFSET] += np.int64(key["captured"]) + RECORD_HEAD
        counts[PACKETS] += 1
    counts[DONE] = len(keys)


@kernel
def hash_keys(keys, tags):
    """The hash of each key's flow, so that its place in the table can be asked for before it is looked at."""
    for index in range(len(keys)):
        key = keys[index]
        ports = np.int64(key["src_port"]), np.int64(key["dst_port"])
        ends = key["src_hi"], key["src_lo"], key["dst_hi"], key["dst_lo"]
        tags[index] = flow_hash(0, ends[0], ends[1], ends[2], ends[3], ports[0], ports[1], np.int64(key["protocol"]))


@kernel
def renumber(numbers, place):
    """Give flows other numbers; directions stay."""
    for index in range(len(numbers)):
        number = np.int64(numbers[index])
        if number != UNSURE:
            numbers[index] = np.int64(place[number >> 1]) << 1 | (number & 1)


@kernel
def find_or_enter(key, tag, table, flows, counts, mask):
    """2 x flow + direction of a packet."""
    src_hi, src_lo, dst_hi, dst_lo = key["src_hi"], key["src_lo"], key["dst_hi"], key["dst_lo"]
    src_port, dst_port, vni = np.int64(key["src_port"]), np.int64(key["dst_port"]), np.int64(key["vni"])
    protocol = np.int64(key["protocol"])
    at = tag & mask
    while table[at, 1] >= 0:
        if table[at, 0] == tag:
            flow = flows[table[at, 1]]
            if flow["vni"] == vni and flow["vlan"] == key["vlan"] and flow["bits"] == key["bits"]:
                if is_way(flow, src_hi, src_lo, src_port, dst_hi, dst_lo, dst_port, protocol):
                    return np.int64(table[at, 1]) << 1
                if is_way(flow, dst_hi, dst_lo, dst_port, src_hi, src_lo, src_port, protocol):
                    return np.int64(table[at, 1]) << 1 | 1
        at = (at + 1) & mask
    number = counts[FLOWS]
    counts[FLOWS] = number + 1
    table[at, 0], table[at, 1] = tag, number
    flow = flows[number]
    flow["a_hi"], flow["a_lo"], flow["b_hi"], flow["b_lo"] = src_hi, src_lo, dst_hi, dst_lo
    flow["a_port"], flow["b_port"], flow["vni"] = src_port, dst_port, vni
    flow["vlan"], flow["protocol"], flow["bits"] = key["vlan"], protocol, key["bits"]
    flow["flags"], flow["packets"], flow["bytes"], flow["first"] = 0, 0, 0, counts[PACKETS]
    return number << 1


@kernel
def is_way(flow, a_hi, a_lo, a_port, b_hi, b_lo, b_port, protocol):
    """Whether these are the flow's ends in this order."""
    same = flow["a_lo"] == a_lo and flow["b_lo"] == b_lo and flow["a_port"] == a_port and flow["b_port"] == b_port
    return same and flow["a_hi"] == a_hi and flow["b_hi"] == b_hi and flow["protocol"] == protocol


@kernel
def enter_again(flows, count, table):
    """Fill an empty, larger table."""
    mask = len(table) - 1
    for number in range(count):
        flow = flows[number]
        ports = np.int64(flow["a_port"]), np.int64(flow["b_port"])
        protocol = np.int64(flow["protocol"])
        tag = flow_hash(0, flow["a_hi"], flow["a_lo"], flow["b_hi"], flow["b_lo"], ports[0], ports[1], protocol)
        at = tag & mask
        while table[at, 1] >= 0:
            at = (at + 1) & mask
        table[at, 0], table[at, 1] = tag, number


class Columns(NamedTuple):
    """What the index says of packets in their order."""

    numbers: np.ndarray  # u4
    lengths: np.ndarray  # u2
    marks: np.ndarray  # MARK


class IndexBuilder:
    """Takes the packets of one segment in the order of its records."""

    def __init__(self) -> None:
        self._table = np.full((1 << 12, 2), -1, np.int32)
        self._flows = np.zeros(1 << 11, _FLOW)
        self._counts = np.zeros(6, np.int64)
        self._counts[OFFSET] = FILE_HEAD
        self._parts: list[Columns] = []

    @property
    def packets(self) -> int:
        return int(self._counts[PACKETS])

    def add(self, keys: np.ndarray) -> None:
        """Packets by their keys."""
        count = len(keys)
        out = Columns(np.empty(count, np.uint32), np.empty(count, np.uint16), np.empty(count // EVERY + 1, MARK))
        self._counts[DONE] = self._counts[MARKS] = 0
        tags = np.empty(count, np.int32)
        hash_keys(keys, tags)
        while True:
            number_flows(keys, tags, self._table, self._flows, out, self._counts)
            if self._counts[DONE] == count:
                break
            self._grow()
        self._parts.append(out._replace(marks=out.marks[: self._counts[MARKS]]))

    def _grow(self) -> None:
        self._table = np.full((2 * len(self._table), 2), -1, np.int32)
        flows = np.zeros(2 * len(self._flows), _FLOW)
        flows[: len(self._flows)] = self._flows
        self._flows = flows
        enter_again(flows, np.int64(self._counts[FLOWS]), self._table)

    def pack(self, segment: Segment) -> bytes:
        """The whole index file of the segment."""
        flows = self._flows[: self._counts[FLOWS]]
        is_v4 = flows["bits"] & IS_V6 == 0
        columns = self._columns()
        if len(flows) and not is_v4.all():
            place = np.empty(len(flows), np.uint32)
            place[is_v4], place[~is_v4] = np.arange(is_v4.sum()), np.arange(is_v4.sum(), len(flows))
            renumber(columns.numbers, place)
        blocks = {
            "lengths": columns.lengths.tobytes(),
            "numbers": columns.numbers.tobytes(),
            "marks": columns.marks.tobytes(),
            "flows4": _v4(flows[is_v4]).tobytes(),
            "flows6": _copied(flows[~is_v4], FLOW6).tobytes(),
            "summary": pack_summary(_summary(flows, is_v4, int(self._counts[UNKNOWN]))),
        }
        return pack_index(segment, len(flows), blocks)

    def _columns(self) -> Columns:
        if not self._parts:
            self._parts.append(Columns(np.zeros(0, np.uint32), np.zeros(0, np.uint16), np.zeros(0, MARK)))
        return Columns(*(np.concatenate(parts) for parts in zip(*self._parts, strict=True)))


def _v4(flows: np.ndarray) -> np.ndarray:
    out = _copied(flows, FLOW4)
    for side in "ab":
        out[side] = flows[f"{side}_lo"] & 0xFFFFFFFF
    return out


def _copied(flows: np.ndarray, dtype: np.dtype) -> np.ndarray:
    out = np.zeros(len(flows), dtype)
    for name in dtype.names or ():
        if name in (flows.dtype.names or ()):
            out[name] = flows[name]
    return out


def _summary(flows: np.ndarray, is_v4: np.ndarray, unsure: int) -> Summary:
    v4, v6 = flows[is_v4], flows[~is_v4]
    addresses = np.unique(np.concatenate([v4["a_lo"], v4["b_lo"]]) & 0xFFFFFFFF).astype(np.uint32)
    pairs = np.concatenate([np.stack([v6[f"{side}_hi"], v6[f"{side}_lo"]], axis=1) for side in "ab"])
    long_addresses = np.unique(pairs.astype(">i8").view("S16").reshape(-1)) if len(pairs) else np.zeros(0, "S16")
    ports = np.zeros(65_536, np.bool_)
    ports[flows["a_port"]] = ports[flows["b_port"]] = True
    protocols = np.zeros(256, np.bool_)
    protocols[flows["protocol"]] = True
    bits = [np.packbits(found, bitorder="little") for found in (ports, protocols)]
    assert (len(bits[0]), len(bits[1])) == (PORT_BYTES, PROTOCOL_BYTES)
    return Summary(unsure, addresses, long_addresses, np.unique(flows["vni"]), bits[0], bits[1])


def build_index(path: Path, segment: Segment) -> bytes:
    """The index of a segment whose packets are read (again) from its pcap: after a crash, or for one that has none. Of
    one that cannot be read as its head says, the head alone."""
    builder, records = IndexBuilder(), new_packets(MAX_PACKETS)
    counters, fragments = new_error_counters(), new_fragment_table()
    try:
        for batch in open_capture(path):
            batch = batch.part(0, min(segment.packets - builder.packets, batch.packets))
            if not batch.packets:
                break
            decode_batch(batch, records, counters, fragments)
            builder.add(keys_of(batch, records[: batch.packets]))
    except CaptureError:
        return pack_head(segment)
    return builder.pack(segment) if builder.packets == segment.packets else pack_head(segment)


def warm_up() -> None:
    """Load (or compile) the kernels, before packets wait for them."""
    packet = empty_packet()
    builder = IndexBuilder()
    builder.add(keys_of(batch_of([bytes(64)]), packet))
    renumber(np.zeros(1, np.uint32), np.zeros(1, np.uint32))
    enter_again(np.zeros(1, _FLOW), np.int64(1), np.full((4, 2), -1, np.int32))
