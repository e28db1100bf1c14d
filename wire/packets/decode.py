"""A batch of frames to a batch of records: innermost IP packet, its transport header, and what is wrong with it.

One pass per frame: link.py -> ip.py -> transport.py, again from the front for each tunnel layer (decapsulate.py), and
fragments.py where a datagram comes in pieces. Nothing is raised for a frame, whatever its bytes: reasons are counted.
"""

from __future__ import annotations

import numpy as np

from wire.packets.batch import PacketBatch, batch_of
from wire.packets.bigendian import u8
from wire.packets.fragments import HEAD_BYTES, FragmentTable, add_fragment, head_length, new_fragment_table
from wire.packets.ip import extensions, ipv4, ipv6
from wire.packets.jit import inline, kernel, prefetch
from wire.packets.layout import (
    AH,
    BAD_FRAGMENT,
    BAD_IP_VERSION,
    FIRST_FRAGMENT,
    LINK_ETHERNET,
    MAX_TUNNELS,
    MIDDLE_FRAGMENT,
    SCTP,
    TCP,
    TOO_MANY_TUNNELS,
    UDP,
    empty_packet,
    new_error_counters,
    new_packets,
)
from wire.packets.link import TYPE_IPV4, TYPE_IPV6, ethernet, link_header, resolve
from wire.packets.transport import transport

BLANK = empty_packet()
DONE, PIECE = 0, 1  # how a walk ends, beside negated reasons; PIECE: at a fragment
AHEAD = 8  # frames whose heads are asked for before they are decoded
LARGEST_DATAGRAM = 65535


def decode_batch(batch: PacketBatch, out: np.ndarray, counters: np.ndarray, fragments: FragmentTable) -> int:
    """Fill one record of `out` per frame, add to the reasons' `counters`; answers the number of frames."""
    if len(out) < batch.packets:
        raise ValueError(f"room for {len(out)} packets, {batch.packets} given")
    columns = (batch.buffer, batch.offset, batch.captured, batch.wire_length, batch.time_ns)
    decode_columns(*columns, batch.link_type, out, counters, fragments)
    return batch.packets


def warm_up() -> None:
    """Compile, or load, everything that decodes, so that the first packets of a live source need not wait for it."""
    decode_batch(batch_of([]), new_packets(0), new_error_counters(), new_fragment_table(1))


@kernel
def decode_columns(buffer, offset, captured, wire_length, time_ns, link_type, out, counters, fragments):
    for index in range(len(offset)):
        if index + AHEAD < len(offset):
            prefetch(buffer, offset[index + AHEAD])
            prefetch(buffer, offset[index + AHEAD] + 64)
        out[index] = BLANK[0]
        row = out[index]
        row["time_ns"] = time_ns[index]
        row["captured"] = captured[index]
        row["wire_length"] = wire_length[index]
        base = offset[index]
        end = base + captured[index]
        stop = base + max(wire_length[index], captured[index])
        decode_one(buffer, base, end, stop, link_type, row, counters, fragments)


@inline
def decode_one(buffer, base, end, stop, link_type, row, counters, fragments):
    """Decode one frame into a blank record that has its time and lengths; for kernels that do more in the same pass."""
    if link_type == LINK_ETHERNET:
        found, at = ethernet(buffer, base, end)
    else:
        found, at = link_header(buffer, base, end, link_type)
    status, protocol, at, end, stop = walk(buffer, at, end, stop, base, found, 0, row, counters)
    if status == PIECE:
        status = piece(fragments, buffer, base, at, end, stop, protocol, row, counters)
    if status < 0:
        row["error"] = -status
        counters[-status] += 1
    elif status == DONE and row["version"] != 0:
        row["complete"] = 1


@kernel
def walk(buffer, at, end, stop, base, found, layer, row, counters):
    """Follow headers from `found` inwards; answers (status, protocol, at, end, stop), the last four for a PIECE."""
    while True:
        if found != TYPE_IPV4 and found != TYPE_IPV6:
            found, at, vlan = resolve(buffer, at, end, found)
            if layer == 0:
                row["vlan"] = vlan
            if found <= 0:
                return found, 0, at, end, stop
        start = at - base
        if found == TYPE_IPV4:
            protocol, at, end, stop, is_piece = ipv4(buffer, at, end, stop, base, row)
            if protocol == -BAD_IP_VERSION and u8(buffer, at) >> 4 == 6:
                found = TYPE_IPV6  # some senders put both versions under one Ethertype
        if found == TYPE_IPV6:
            protocol, at, end, stop, is_piece = ipv6(buffer, at, end, stop, base, row)
        if layer > 0 and row["ip_offset"] == start:
            forget_outer(row, layer)
        if protocol < 0:
            return protocol, 0, at, end, stop
        if is_piece:
            return PIECE, protocol, at, end, stop
        if protocol == AH:
            protocol, at, _ = extensions(buffer, at, end, stop, protocol, row)
            if protocol < 0:
                return protocol, 0, at, end, stop
        found, at = transport(buffer, at, end, stop, base, protocol, row, counters)
        if found <= 0:
            return found, 0, at, end, stop
        if layer == MAX_TUNNELS:
            counters[TOO_MANY_TUNNELS] += 1
            return DONE, 0, at, end, stop
        layer += 1


@inline
def forget_outer(row, layer):
    """A header was found inside, complete or not: the transport fields of the packet around it go."""
    row["tunnels"] = layer
    row["src_port"] = 0
    row["dst_port"] = 0
    row["payload_length"] = 0
    row["payload_offset"] = -1
    row["l4_offset"] = -1


@kernel
def piece(fragments, buffer, base, at, end, stop, protocol, row, counters):
    """A fragment: counted as a packet by itself, analysed as a datagram when it is the one that completes it."""
    offset, length = np.int64(row["fragment_offset"]), stop - at
    has_more = row["fragment"] == FIRST_FRAGMENT or row["fragment"] == MIDDLE_FRAGMENT
    if length <= 0 or offset + length > LARGEST_DATAGRAM or (has_more and length & 7 != 0):
        return -BAD_FRAGMENT
    row["l4_offset"] = at - base
    slot = add_fragment(fragments, row, buffer, at, end, length, protocol)
    if slot < 0:
        name_conversation(fragments, -1 - slot, row)
        return PIECE
    return datagram(fragments, slot, row, counters)


@inline
def name_conversation(fragments, slot, row):
    """The ports, once the first fragment has told them."""
    known = fragments.rows[slot]
    protocol = known["protocol"]
    if known["head_seen"] & 1 and (protocol in (TCP, UDP, SCTP)):
        head = slot * HEAD_BYTES
        row["src_port"] = np.int64(fragments.heads[head]) << 8 | np.int64(fragments.heads[head + 1])
        row["dst_port"] = np.int64(fragments.heads[head + 2]) << 8 | np.int64(fragments.heads[head + 3])


@kernel
def datagram(fragments, slot, row, counters):
    """The transport header of a complete datagram, from the bytes kept of it."""
    known = fragments.rows[slot]
    base = slot * HEAD_BYTES
    at, end, stop = base, base + head_length(known), base + np.int64(known["total"])
    protocol = np.int64(known["protocol"])
    place, offset, ip_offset = row["fragment"], row["fragment_offset"], row["ip_offset"]
    protocol, at, is_piece = extensions(fragments.heads, at, end, stop, protocol, row)
    if is_piece:
        return -BAD_FRAGMENT
    if protocol < 0:
        return protocol
    found, at = transport(fragments.heads, at, end, stop, base, protocol, row, counters)
    layer = np.int64(row["tunnels"])
    if found > 0 and layer < MAX_TUNNELS:
        row["ip_offset"] = -1
        found, _, _, _, _ = walk(fragments.heads, at, end, stop, base, found, layer + 1, row, counters)
    if row["tunnels"] == layer:
        row["fragment"] = place
        row["fragment_offset"] = offset
        row["ip_offset"] = ip_offset
    else:
        row["ip_offset"] = -1
    row["l4_offset"] = -1
    row["payload_offset"] = -1
    return found if found < 0 else PIECE if found == PIECE else DONE
