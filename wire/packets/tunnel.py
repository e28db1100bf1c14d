"""Tunnel headers, put on: VXLAN (RFC 7348) for mirrors, GENEVE (RFC 8926) from broker to node, heads for storing.

The counterpart that takes headers off is decapsulate.py. A broker hands its receive time to a node in a GENEVE option
of the experimental class: the time spent in the broker and between the two measures nothing.
"""

from __future__ import annotations

import ipaddress

import numpy as np

from wire.packets.batch import PacketBatch
from wire.packets.bigendian import i64, put16, put32, u8, u16, u32
from wire.packets.decapsulate import GENEVE_PORT, OPTION_CLASS_OURS, OPTION_RECEIVE_TIME, VXLAN_PORT
from wire.packets.ip import MAPPED_IPV4
from wire.packets.jit import inline, kernel
from wire.packets.layout import LINK_ETHERNET, UDP
from wire.packets.link import TYPE_BRIDGED, TYPE_IPV4, TYPE_IPV6
from wire.packets.udp import HEADROOM, UdpBatch

VXLAN_BYTES = 8
GENEVE_BYTES = 20  # with the option of the receive time
HEAD_IPV4, HEAD_IPV6 = 42, 62  # Ethernet, IP, UDP
assert HEAD_IPV6 <= HEADROOM

NO_TUNNEL = 0


def address_bits(text: str) -> tuple[int, int]:
    """An address as the two signed halves of layout.PACKET; IPv4 is mapped."""
    address = ipaddress.ip_address(text)
    value = int(address) | MAPPED_IPV4 if address.version == 4 else int(address)
    halves = np.array([value >> 64, value & (1 << 64) - 1], np.uint64).view(np.int64)
    return int(halves[0]), int(halves[1])


def vxlan_heads(vni: np.ndarray) -> np.ndarray:
    """One VXLAN header per row."""
    out = np.zeros((len(vni), VXLAN_BYTES), np.uint8)
    write_vxlan(vni, out)
    return out


def geneve_heads(vni: np.ndarray, time_ns: np.ndarray) -> np.ndarray:
    """One GENEVE header per row, with the receive time as its option; a VNI of -1 becomes 0."""
    out = np.zeros((len(vni), GENEVE_BYTES), np.uint8)
    write_geneve(vni, time_ns, out)
    return out


@kernel
def write_vxlan(vni, out):
    for index in range(len(vni)):
        row = out[index]
        row[0] = 0x08
        put32(row, 4, np.int64(vni[index]) << 8)


@kernel
def write_geneve(vni, time_ns, out):
    for index in range(len(vni)):
        row = out[index]
        row[0] = (GENEVE_BYTES - 8) >> 2
        put16(row, 2, TYPE_BRIDGED)
        put32(row, 4, max(np.int64(vni[index]), 0) << 8)
        put16(row, 8, OPTION_CLASS_OURS)
        row[10] = OPTION_RECEIVE_TIME
        row[11] = 2
        put32(row, 12, time_ns[index] >> 32)
        put32(row, 16, time_ns[index])


@inline
def tunnel_port(buffer, at, length):
    """Which tunnel a datagram is that carries an Ethernet frame, by its first bytes: its usual port, or NO_TUNNEL."""
    if length >= 8:
        if u8(buffer, at) >> 6 == 0 and u16(buffer, at + 2) == TYPE_BRIDGED:
            return GENEVE_PORT
        if u8(buffer, at) & 0x08 and u8(buffer, at + 7) == 0 and not is_geneve_with_ip(buffer, at, length):
            return VXLAN_PORT
    return NO_TUNNEL


@inline
def is_geneve_with_ip(buffer, at, length):
    """IP straight in GENEVE, as load balancers send it. VXLAN has zeros there (RFC 7348), or a group after a 1 bit."""
    return length >= 8 and u8(buffer, at) >> 6 == 0 and u16(buffer, at + 2) in (TYPE_IPV4, TYPE_IPV6)


@kernel
def apply_peer_times(buffer, offset, length, time_ns):
    """Replace receive times by those that a broker of ours has sent along; answers how many it replaced."""
    replaced = 0
    for index in range(len(offset)):
        at, size = offset[index], np.int64(length[index])
        if tunnel_port(buffer, at, size) == GENEVE_PORT:
            sent_ns = peer_time(buffer, at, size)
            if sent_ns > 0:
                time_ns[index] = sent_ns
                replaced += 1
    return replaced


@kernel
def peer_time(buffer, at, length):
    """The receive time in a GENEVE header's options, 0 if there is none."""
    option, end = at + 8, at + min(8 + ((u8(buffer, at) & 0x3F) << 2), length)
    while end - option >= 4:
        size = 4 + ((u8(buffer, option + 3) & 0x1F) << 2)
        is_ours = u32(buffer, option) >> 8 == OPTION_CLASS_OURS << 8 | OPTION_RECEIVE_TIME
        if is_ours and size == 12 and end - option >= 12:
            return i64(buffer, option + 4)
        option += size
    return np.int64(0)


def synthesize_heads(batch: UdpBatch, local: str, port: int) -> PacketBatch:
    """Datagrams as Ethernet frames, for storing: the head is written into the room before each, nothing is copied.

    The target port is the tunnel's usual one wherever the socket listens, so that any reader finds the tunnel; `port`
    stands for datagrams of no known tunnel. The UDP checksum is zero. The lengths in the head are those on the wire.
    """
    count = batch.packets
    offset, captured, wire_length = np.empty(count, np.int64), np.empty(count, np.int32), np.empty(count, np.int32)
    local_hi, local_lo = address_bits(local)
    peers = (batch.peer_hi, batch.peer_lo, batch.peer_port)
    sizes = (batch.length, batch.wire_length)
    local_address = np.array([local_hi, local_lo])
    write_heads(batch.buffer, batch.offset, *sizes, *peers, local_address, port, offset, captured, wire_length)
    return PacketBatch(batch.buffer, offset, captured, wire_length, batch.time_ns, LINK_ETHERNET)


@kernel
def write_heads(buffer, start, length, whole, peer_hi, peer_lo, peer_port, local, port, offset, captured, wire_length):
    for index in range(len(start)):
        size = np.int64(whole[index])
        here = np.int64(length[index])
        target = tunnel_port(buffer, start[index], here)
        if target == NO_TUNNEL:
            target = GENEVE_PORT if is_geneve_with_ip(buffer, start[index], here) else port
        is_ipv4 = peer_hi[index] == 0 and peer_lo[index] >> 32 == 0xFFFF
        head = HEAD_IPV4 if is_ipv4 else HEAD_IPV6
        at = start[index] - head
        write_ethernet(buffer, at, TYPE_IPV4 if is_ipv4 else TYPE_IPV6)
        if is_ipv4:
            write_ipv4(buffer, at + 14, size + 28, peer_lo[index], local[1])
        else:
            write_ipv6(buffer, at + 14, size + 8, peer_hi[index], peer_lo[index], local[0], local[1])
        put16(buffer, start[index] - 8, np.int64(peer_port[index]))
        put16(buffer, start[index] - 6, target)
        put16(buffer, start[index] - 4, size + 8)
        put16(buffer, start[index] - 2, 0)
        offset[index] = at
        captured[index] = head + length[index]
        wire_length[index] = head + size


@inline
def write_ethernet(buffer, at, ethertype):
    """Locally administered addresses: the real ones are not known on a socket."""
    put32(buffer, at, 0x02000000)
    put32(buffer, at + 4, 0x00020200)
    put32(buffer, at + 8, 0x00000001)
    put16(buffer, at + 12, ethertype)


@inline
def write_ipv4(buffer, at, length, source, target):
    put32(buffer, at, 0x45000000 | length)
    put32(buffer, at + 4, 0x00004000)
    put32(buffer, at + 8, 64 << 24 | UDP << 16)
    put32(buffer, at + 12, source)
    put32(buffer, at + 16, target)
    total = 0
    for word in range(at, at + 20, 2):
        total += u16(buffer, word)
    total = (total & 0xFFFF) + (total >> 16)
    put16(buffer, at + 10, ~(total + (total >> 16)))


@inline
def write_ipv6(buffer, at, length, source_hi, source_lo, target_hi, target_lo):
    put32(buffer, at, 0x60000000)
    put32(buffer, at + 4, length << 16 | UDP << 8 | 64)
    put32(buffer, at + 8, source_hi >> 32)
    put32(buffer, at + 12, source_hi)
    put32(buffer, at + 16, source_lo >> 32)
    put32(buffer, at + 20, source_lo)
    put32(buffer, at + 24, target_hi >> 32)
    put32(buffer, at + 28, target_hi)
    put32(buffer, at + 32, target_lo >> 32)
    put32(buffer, at + 36, target_lo)
