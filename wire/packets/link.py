"""From the start of a frame to its network layer: link headers, then tags, labels and PPP in any order.

IEEE 802.3/802.1Q/802.1ad, RFC 1042 (SNAP), RFC 3032 (MPLS), RFC 4385 (pseudo-wire control word), RFC 2516 (PPPoE),
RFC 1661/1662 (PPP), LINKTYPE_LINUX_SLL and _SLL2 and _NULL of the tcpdump group.

A step answers (next, at): what comes next and where. `next` is an Ethertype, one of the words below, 0 for "not IP", or
a negated reason of layout.ERRORS. Positions are absolute in the buffer; `end` is the end of the captured bytes.
"""

from __future__ import annotations

from wire.packets.bigendian import u8, u16, u32
from wire.packets.jit import inline, kernel
from wire.packets.layout import (
    BAD_IP_VERSION,
    CUT_HEADER,
    LINK_CISCO_HDLC,
    LINK_ETHERNET,
    LINK_IPV4,
    LINK_IPV6,
    LINK_LOOP,
    LINK_NULL,
    LINK_PPP,
    LINK_PPP_HDLC,
    LINK_SLL,
    LINK_SLL2,
)

NOT_IP, ANY_IP, FRAME, PPP = 0, 1, 2, 3  # ANY_IP: the first half byte says which
TYPE_IPV4, TYPE_IPV6, TYPE_VLAN, TYPE_MPLS, TYPE_MPLS_MULTICAST = 0x0800, 0x86DD, 0x8100, 0x8847, 0x8848
TYPE_QINQ, TYPE_QINQ_OLD, TYPE_QINQ_OLDER, TYPE_PPPOE, TYPE_VNTAG = 0x88A8, 0x9100, 0x9200, 0x8864, 0x8926
TYPE_BRIDGED, TYPE_PPP = 0x6558, 0x880B  # "transparent Ethernet bridging" and PPP, as GRE carries them
SMALLEST_TYPE = 0x0600  # below it is a length, and LLC follows
MAX_STEPS = 16  # tags and labels of one frame; a hostile frame must not hold up the others


@inline
def ethernet(buffer, at, end):
    if end - at < 14:
        return -CUT_HEADER, at
    return u16(buffer, at + 12), at + 14


@kernel
def link_header(buffer, at, end, link_type):
    """The header of the file's link type; unknown ones are refused where files are opened."""
    if link_type == LINK_ETHERNET:
        return ethernet(buffer, at, end)
    if link_type == LINK_SLL:
        if end - at < 16:
            return -CUT_HEADER, at
        return u16(buffer, at + 14), at + 16
    if link_type == LINK_SLL2:
        if end - at < 20:
            return -CUT_HEADER, at
        return u16(buffer, at), at + 20
    if link_type in (LINK_NULL, LINK_LOOP):
        return loopback(buffer, at, end)
    if link_type in (LINK_PPP, LINK_PPP_HDLC, LINK_CISCO_HDLC):
        return serial(buffer, at, end, link_type)
    if link_type == LINK_IPV4:
        return TYPE_IPV4, at
    if link_type == LINK_IPV6:
        return TYPE_IPV6, at
    if end - at < 1:
        return -CUT_HEADER, at
    nibble = u8(buffer, at) >> 4
    if nibble != 4 and nibble != 6:
        return -BAD_IP_VERSION, at
    return ANY_IP, at


@kernel
def loopback(buffer, at, end):
    """The address family in the byte order of the capturing machine; its number for IPv6 differs by system."""
    if end - at < 4:
        return -CUT_HEADER, at
    family = u32(buffer, at)
    if family & 0xFFFF0000:
        family = u8(buffer, at + 1) << 8 | u8(buffer, at)
    if family == 2:
        return TYPE_IPV4, at + 4
    if family == 10 or family == 24 or family == 28 or family == 30:
        return TYPE_IPV6, at + 4
    return NOT_IP, at


@kernel
def serial(buffer, at, end, link_type):
    """PPP or Cisco HDLC: files of either PPP type hold both, told apart by the first byte as other readers do."""
    if end - at < 4:
        return -CUT_HEADER, at
    first = u8(buffer, at)
    if link_type == LINK_CISCO_HDLC or first == 0x0F or first == 0x8F:
        return u16(buffer, at + 2), at + 4
    return PPP, at


@kernel
def resolve(buffer, at, end, found):
    """Walk from any `next` to IP. Answers (TYPE_IPV4, TYPE_IPV6, NOT_IP or a negated reason, at, first VLAN or -1)."""
    vlan = -1
    for _ in range(MAX_STEPS):
        if found in (TYPE_IPV4, TYPE_IPV6) or found <= NOT_IP:
            return found, at, vlan
        if found == ANY_IP:
            found = ip_version(buffer, at, end)
        elif found in (FRAME, TYPE_BRIDGED):
            found, at = ethernet(buffer, at, end)
        elif found in (PPP, TYPE_PPP):
            found, at = ppp(buffer, at, end)
        elif found in (TYPE_VLAN, TYPE_QINQ, TYPE_QINQ_OLD, TYPE_QINQ_OLDER):
            if end - at < 4:
                return -CUT_HEADER, at, vlan
            if vlan < 0:
                vlan = u16(buffer, at) & 0xFFF
            found, at = u16(buffer, at + 2), at + 4
        elif found in (TYPE_MPLS, TYPE_MPLS_MULTICAST):
            found, at = mpls(buffer, at, end)
        elif found == TYPE_PPPOE:
            found, at = pppoe(buffer, at, end)
        elif found == TYPE_VNTAG:
            if end - at < 6:
                return -CUT_HEADER, at, vlan
            found, at = u16(buffer, at + 4), at + 6
        elif found < SMALLEST_TYPE:
            found, at = snap(buffer, at, end)
        else:
            return NOT_IP, at, vlan
    return NOT_IP, at, vlan


@inline
def ip_version(buffer, at, end):
    if end - at < 1:
        return -CUT_HEADER
    nibble = u8(buffer, at) >> 4
    return TYPE_IPV4 if nibble == 4 else TYPE_IPV6 if nibble == 6 else NOT_IP


@kernel
def snap(buffer, at, end):
    """LLC after a length field: IP is there only behind SNAP with an Ethertype. Other LLC is not IP, cut or not."""
    if end - at < 8 or u32(buffer, at) != 0xAAAA0300 or u16(buffer, at + 4) != 0:
        return NOT_IP, at
    found = u16(buffer, at + 6)
    return found if found >= SMALLEST_TYPE else NOT_IP, at + 8


@kernel
def mpls(buffer, at, end):
    """All labels, then what the first half byte tells: nothing in a label says what it carries (RFC 4928)."""
    for _ in range(MAX_STEPS):
        if end - at < 5:
            return -CUT_HEADER, at
        is_last = u8(buffer, at + 2) & 1
        at += 4
        if is_last:
            found = ip_version(buffer, at, end)
            return (found, at) if found != NOT_IP else pseudowire(buffer, at, end)
    return NOT_IP, at


@inline
def pseudowire(buffer, at, end):
    """An Ethernet frame with or without a control word before it: an address may begin with zeros as well."""
    if end - at >= 18 and u16(buffer, at) == 0 and is_carried(u16(buffer, at + 16)):
        return FRAME, at + 4
    if end - at >= 14 and is_carried(u16(buffer, at + 12)):
        return FRAME, at
    return NOT_IP, at


@inline
def is_carried(ethertype):
    return ethertype in (TYPE_IPV4, TYPE_IPV6, TYPE_VLAN, TYPE_QINQ, TYPE_MPLS, TYPE_PPPOE)


@kernel
def pppoe(buffer, at, end):
    if end - at < 8:
        return -CUT_HEADER, at
    if u16(buffer, at) != 0x1100:
        return NOT_IP, at
    return PPP, at + 6


@kernel
def ppp(buffer, at, end):
    """Protocol field of one or two bytes, after an address and a control byte if they were not negotiated away."""
    if end - at >= 2 and u16(buffer, at) == 0xFF03:
        at += 2
    if end - at < 2:
        return -CUT_HEADER, at
    protocol, size = u16(buffer, at), 2
    if protocol & 0x0100:
        protocol, size = protocol >> 8, 1
    at += size
    if protocol == 0x0021:
        return TYPE_IPV4, at
    if protocol == 0x0057:
        return TYPE_IPV6, at
    if protocol == 0x0281:
        return TYPE_MPLS, at
    if protocol == 0x0283:
        return TYPE_MPLS_MULTICAST, at
    return NOT_IP, at
