"""Tunnel headers, taken off: VXLAN, GENEVE, GTP-U, Teredo and MPLS on UDP, GRE with ERSPAN and PPTP, EtherIP.

RFC 7348 (VXLAN), RFC 8926 (GENEVE), RFC 2784, 2890 and 2637 (GRE), draft-foschiano-erspan, 3GPP TS 29.281 (GTP-U),
RFC 4380 (Teredo), RFC 7510 (MPLS in UDP), RFC 3378 (EtherIP). The counterpart that builds headers is tunnel.py.

A step answers (next, at) in the words of link.py; NOT_IP means that the packet around it is the innermost one.
"""

from __future__ import annotations

from wire.packets.bigendian import i64, u8, u16, u32
from wire.packets.jit import inline, kernel
from wire.packets.layout import BAD_TUNNEL, CUT_HEADER
from wire.packets.link import ANY_IP, FRAME, NOT_IP, TYPE_BRIDGED, TYPE_IPV6, TYPE_MPLS, TYPE_PPP

VXLAN_PORT, GENEVE_PORT, VXLAN_GPE_PORT, GTP_PORT, TEREDO_PORT, MPLS_PORT = 4789, 6081, 4790, 2152, 3544, 6635
OPTION_CLASS_AWS = 0x0108  # gateway load balancer
OPTION_CLASS_OURS, OPTION_RECEIVE_TIME = 0xFF01, 0x01  # experimental class; 8 bytes of ns
TYPE_ERSPAN_2, TYPE_ERSPAN_3 = 0x88BE, 0x22EB
GTP_DATA = 0xFF


@inline
def is_udp_tunnel(source, target):
    """Ports that are worth a closer look; everything else leaves the fast path untouched."""
    return (
        target in (VXLAN_PORT, GENEVE_PORT, VXLAN_GPE_PORT, GTP_PORT, MPLS_PORT, TEREDO_PORT) or source == TEREDO_PORT
    )


@kernel
def udp_tunnel(buffer, at, end, stop, target, row):
    """What a UDP payload on a tunnel's port carries, `at` its first byte."""
    if target == MPLS_PORT:
        return TYPE_MPLS, at
    if stop - at < 8:
        return NOT_IP, at
    if end - at < 8:
        return -CUT_HEADER, at
    if target == VXLAN_PORT:
        return vxlan(buffer, at, row)
    if target == GENEVE_PORT:
        return geneve(buffer, at, end, stop, row)
    if target == GTP_PORT:
        return gtp(buffer, at, end, stop)
    if target == VXLAN_GPE_PORT:
        return vxlan_gpe(buffer, at, row)
    return teredo(buffer, at, end)


@inline
def keep_vni(row, vni):
    """The outermost one is the mirror's, unless it is a load balancer's own around a mirror session."""
    if row["vni"] < 0 or row["vni_weak"]:
        row["vni"] = vni
        row["vni_weak"] = 0


@kernel
def vxlan(buffer, at, row):
    if u8(buffer, at) & 0x08 == 0:
        return NOT_IP, at
    keep_vni(row, u32(buffer, at + 4) >> 8)
    return FRAME, at + 8


@kernel
def vxlan_gpe(buffer, at, row):
    flags = u8(buffer, at)
    if flags & 0x08 == 0:
        return NOT_IP, at
    following = u8(buffer, at + 3)
    keep_vni(row, u32(buffer, at + 4) >> 8)
    if flags & 0x04 == 0 or following == 3:
        return FRAME, at + 8
    if following == 1 or following == 2:
        return ANY_IP, at + 8
    if following == 5:
        return TYPE_MPLS, at + 8
    return NOT_IP, at


@kernel
def geneve(buffer, at, end, stop, row):
    first = u8(buffer, at)
    if first >> 6 != 0:
        return NOT_IP, at
    options, inside = at + 8, at + 8 + ((first & 0x3F) << 2)
    if inside > stop:
        return -BAD_TUNNEL, at
    if inside > end:
        return -CUT_HEADER, at
    if row["vni"] < 0:
        row["vni"] = u32(buffer, at + 4) >> 8
        while inside - options >= 4:
            option_class, length = u16(buffer, options), (u8(buffer, options + 3) & 0x1F) << 2
            if options + 4 + length > inside:
                return -BAD_TUNNEL, at
            if option_class == OPTION_CLASS_AWS:
                row["vni_weak"] = 1
            elif option_class == OPTION_CLASS_OURS and u8(buffer, options + 2) == OPTION_RECEIVE_TIME and length == 8:
                row["peer_time_ns"] = i64(buffer, options + 4)
            options += 4 + length
    return gre_payload(u16(buffer, at + 2)), inside


@inline
def gre_payload(protocol):
    """An Ethertype, or 0 for numbers that mean something else to link.resolve."""
    return protocol if protocol >= 0x0600 else NOT_IP


@kernel
def gre(buffer, at, end, stop):
    if stop - at < 4:
        return -BAD_TUNNEL, at
    if end - at < 4:
        return -CUT_HEADER, at
    flags, protocol = u16(buffer, at), u16(buffer, at + 2)
    version = flags & 7
    if version > 1 or flags & 0x4000:
        return NOT_IP, at  # source routing is deprecated, its length is not in the header
    at += 4
    if flags & 0x8000:
        at += 4
    if flags & 0x2000:
        at += 4
    if flags & 0x1000:
        at += 4
    if version == 1:
        if flags & 0x0080:
            at += 4
        return (TYPE_PPP if protocol == TYPE_PPP and at < stop else NOT_IP), at
    if protocol == TYPE_ERSPAN_2:
        return erspan_2(buffer, at, end, flags)
    if protocol == TYPE_ERSPAN_3:
        return erspan_3(buffer, at, end)
    return gre_payload(protocol), at


@kernel
def erspan_2(buffer, at, end, flags):
    """Type II; without a sequence number it is type I, which has no header of its own."""
    if flags & 0x1000 == 0:
        return FRAME, at
    if end - at < 8:
        return -CUT_HEADER, at
    return (FRAME if u8(buffer, at) >> 4 == 1 else NOT_IP), at + 8


@kernel
def erspan_3(buffer, at, end):
    if end - at < 12:
        return -CUT_HEADER, at
    if u8(buffer, at) >> 4 != 2:
        return NOT_IP, at
    word = u16(buffer, at + 10)
    inside = at + 20 if word & 1 else at + 12
    return (FRAME if word >> 10 & 0x1F == 0 else ANY_IP), inside


@kernel
def gtp(buffer, at, end, stop):
    """GTPv1 user data; signalling and GTP' are not tunnels."""
    flags = u8(buffer, at)
    if flags & 0xF0 != 0x30 or u8(buffer, at + 1) != GTP_DATA:
        return NOT_IP, at
    inside = at + 8
    if flags & 7:
        inside += 4
        if inside > end:
            return -CUT_HEADER, at
        following = u8(buffer, inside - 1) if flags & 4 else 0
        while following:
            if inside >= end:
                return -CUT_HEADER, at
            length = u8(buffer, inside) << 2
            if length == 0 or inside + length > stop:
                return -BAD_TUNNEL, at
            inside += length
            if inside > end:
                return -CUT_HEADER, at
            following = u8(buffer, inside - 1)
    return ANY_IP, inside


@kernel
def teredo(buffer, at, end):
    """IPv6 behind an authentication and an origin indication, either of which may be missing."""
    if u16(buffer, at) == 0x0001:
        at += 13 + u8(buffer, at + 2) + u8(buffer, at + 3)
    if end - at >= 8 and u16(buffer, at) == 0x0000:
        at += 8
    if end - at < 40 or u8(buffer, at) >> 4 != 6:
        return NOT_IP, at
    return TYPE_IPV6, at


@kernel
def etherip(buffer, at, end):
    if end - at < 2:
        return -CUT_HEADER, at
    return (TYPE_BRIDGED if u16(buffer, at) == 0x3000 else NOT_IP), at + 2
