"""TCP with options (RFC 9293, 7323, 2018), UDP (RFC 768), and what follows from IP's protocol number.

Lengths come from the IP header, so that a frame that was cut after its headers measures the same as the whole one.
"""

from __future__ import annotations

from wire.packets.bigendian import u8, u16, u32
from wire.packets.decapsulate import etherip, gre, is_udp_tunnel, udp_tunnel
from wire.packets.icmp import icmp
from wire.packets.jit import inline, kernel
from wire.packets.layout import (
    BAD_TCP_HEADER,
    BAD_TCP_OPTIONS,
    BAD_UDP_LENGTH,
    CUT_HEADER,
    ETHERIP,
    GRE,
    ICMP,
    ICMPV6,
    IPIP,
    IPV6,
    MPLS_IN_IP,
    SACK_BLOCKS,
    SACK_PERMITTED,
    SCTP,
    SYN,
    TCP,
    UDP,
    UDP_LITE,
)
from wire.packets.link import NOT_IP, TYPE_IPV4, TYPE_IPV6, TYPE_MPLS

DCCP = 33
OPTIONS_OF_TIMESTAMPS = 0x0101080A  # two no-ops, then timestamps: how nearly every segment with options begins


@inline
def transport(buffer, at, end, stop, base, protocol, row, counters):
    """Fill the transport fields; answers (0 or a negated reason, at), or what a tunnel carries in link.py's words."""
    row["l4_offset"] = at - base
    if protocol == TCP:
        return tcp(buffer, at, end, stop, base, row, counters), at
    if protocol == UDP:
        return udp(buffer, at, end, stop, base, row)
    return other(buffer, at, end, stop, base, protocol, row)


@inline
def tcp(buffer, at, end, stop, base, row, counters):
    if end - at < 20:
        return cut_ports(buffer, at, end, stop, 20, BAD_TCP_HEADER, row)
    row["src_port"] = u16(buffer, at)
    row["dst_port"] = u16(buffer, at + 2)
    header = u8(buffer, at + 12) >> 4 << 2
    if header < 20 or header > stop - at:
        return -BAD_TCP_HEADER
    row["seq"] = u32(buffer, at + 4)
    row["ack"] = u32(buffer, at + 8)
    flags = u8(buffer, at + 13)
    row["flags"] = flags
    row["window"] = u16(buffer, at + 14)
    row["payload_length"] = stop - at - header
    if flags & SYN and end <= at + header and base + row["wire_length"] <= at + header:
        # A SYN whose "payload" was not in the frame has a wrong length (offload rewrote its options): it would move
        # the ISN. Cut away by the capture it counts.
        row["payload_length"] = 0
    row["payload_offset"] = at + header - base
    if header == 32 and end - at >= 32 and u32(buffer, at + 20) == OPTIONS_OF_TIMESTAMPS:
        row["ts_val"] = u32(buffer, at + 24)
        row["ts_ecr"] = u32(buffer, at + 28)
    elif header > 20:
        tcp_options(buffer, at + 20, min(at + header, end), row, counters)
    return 0


@kernel
def tcp_options(buffer, at, end, row, counters):
    """The options whose bytes are there: a cut list is no fault, a list that contradicts itself is counted."""
    while at < end:
        kind = u8(buffer, at)
        if kind == 0:
            return
        if kind == 1:
            at += 1
            continue
        if end - at < 2:
            break
        length = u8(buffer, at + 1)
        if length < 2 or length > end - at:
            break
        if kind == 2 and length == 4:
            row["option_mss"] = u16(buffer, at + 2)
        elif kind == 3 and length == 3:
            row["option_scale"] = u8(buffer, at + 2)
        elif kind == 4:
            row["option_sack"] |= SACK_PERMITTED
        elif kind == 5:
            row["option_sack"] |= SACK_BLOCKS
        elif kind == 8 and length == 10:
            row["ts_val"] = u32(buffer, at + 2)
            row["ts_ecr"] = u32(buffer, at + 6)
        at += length
    if at < end and row["captured"] >= row["wire_length"]:
        counters[BAD_TCP_OPTIONS] += 1


@inline
def udp(buffer, at, end, stop, base, row):
    if end - at < 8:
        return cut_ports(buffer, at, end, stop, 8, BAD_UDP_LENGTH, row), at
    source, target, length = u16(buffer, at), u16(buffer, at + 2), u16(buffer, at + 4)
    row["src_port"] = source
    row["dst_port"] = target
    if length != 0 and (length < 8 or length > stop - at):
        return -BAD_UDP_LENGTH, at
    row["payload_length"] = stop - at - 8
    row["payload_offset"] = at + 8 - base
    if is_udp_tunnel(source, target):
        return udp_tunnel(buffer, at + 8, end, stop, target, row)
    return NOT_IP, at


@kernel
def cut_ports(buffer, at, end, stop, header, reason, row):
    """A transport header that is not all there; its ports, if they are, still name the conversation."""
    if end - at >= 4:
        row["src_port"] = u16(buffer, at)
        row["dst_port"] = u16(buffer, at + 2)
    return -reason if stop - at < header else -CUT_HEADER


@kernel
def other(buffer, at, end, stop, base, protocol, row):
    """Everything but TCP and UDP: tunnels named by the protocol number, ICMP, ports of the less common transports."""
    row["payload_offset"] = at - base
    row["payload_length"] = stop - at
    if protocol == IPIP:
        return TYPE_IPV4, at
    if protocol == IPV6:
        return TYPE_IPV6, at
    if protocol == GRE:
        return gre(buffer, at, end, stop)
    if protocol == ETHERIP:
        return etherip(buffer, at, end)
    if protocol == MPLS_IN_IP:
        return TYPE_MPLS, at
    if protocol in (ICMP, ICMPV6):
        return icmp(buffer, at, end, stop, base, protocol, row), at
    if (protocol in (SCTP, UDP_LITE, DCCP)) and end - at >= 4:
        row["src_port"] = u16(buffer, at)
        row["dst_port"] = u16(buffer, at + 2)
    return NOT_IP, at
