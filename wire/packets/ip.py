"""IPv4 with options (RFC 791) and IPv6 with extension headers (RFC 8200, RFC 4302 for AH).

Each step writes what it found into the packet's record, so that the innermost header that could be trusted remains. It
answers (protocol or a negated reason, at, end, stop, is_fragment): `end` is the end of what was captured of this
packet, `stop` its end by its own length field; frames may be cut, so that stop is the larger one, or padded.
"""

from __future__ import annotations

from wire.packets.bigendian import i64, u8, u16, u32
from wire.packets.jit import inline, kernel
from wire.packets.layout import (
    AH,
    BAD_EXTENSION_HEADER,
    BAD_IP_HEADER_LENGTH,
    BAD_IP_LENGTH,
    BAD_IP_VERSION,
    CUT_HEADER,
    FIRST_FRAGMENT,
    FRAGMENT,
    LAST_FRAGMENT,
    MIDDLE_FRAGMENT,
    NO_NEXT_HEADER,
    ROUTING,
    WHOLE,
)

HOP_BY_HOP, DESTINATION_OPTIONS, MOBILITY, HIP, SHIM6 = 0, 60, 135, 139, 140
MAX_EXTENSIONS = 16
MAPPED_IPV4 = 0xFFFF_0000_0000  # ::ffff:0.0.0.0


@inline
def fragment_place(offset, more):
    if offset == 0:
        return FIRST_FRAGMENT if more else WHOLE
    return MIDDLE_FRAGMENT if more else LAST_FRAGMENT


@inline
def ipv4(buffer, at, end, stop, base, row):
    if end - at < 20:
        return -CUT_HEADER, at, end, stop, False
    first = u8(buffer, at)
    if first >> 4 != 4:
        return -BAD_IP_VERSION, at, end, stop, False
    header = (first & 15) << 2
    if header < 20:
        return -BAD_IP_HEADER_LENGTH, at, end, stop, False
    length = u16(buffer, at + 2)
    if length == 0:
        length = stop - at  # segmentation offload: the card had not filled it in when the packet was copied
    if length < header:
        return -BAD_IP_LENGTH, at, end, stop, False
    word = u16(buffer, at + 6)
    offset = (word & 0x1FFF) << 3
    place = fragment_place(offset, word & 0x2000 != 0)
    protocol = u8(buffer, at + 9)
    row["version"] = 4
    row["protocol"] = protocol
    row["src_hi"] = 0
    row["src_lo"] = MAPPED_IPV4 | u32(buffer, at + 12)
    row["dst_hi"] = 0
    row["dst_lo"] = MAPPED_IPV4 | u32(buffer, at + 16)
    row["ip_length"] = length
    row["ip_offset"] = at - base
    row["ip_id"] = u16(buffer, at + 4)
    row["fragment"] = place
    row["fragment_offset"] = offset
    stop = at + length
    end = min(end, stop)
    if end - at < header:
        return -CUT_HEADER, at, end, stop, False
    return protocol, at + header, end, stop, place != WHOLE


@inline
def ipv6(buffer, at, end, stop, base, row):
    if end - at < 40:
        return -CUT_HEADER, at, end, stop, False
    if u8(buffer, at) >> 4 != 6:
        return -BAD_IP_VERSION, at, end, stop, False
    length = u16(buffer, at + 4) + 40
    following = u8(buffer, at + 6)
    if length == 40 and following != NO_NEXT_HEADER:
        length = max(length, stop - at)  # offload, or a jumbogram
    row["version"] = 6
    row["protocol"] = following
    row["src_hi"] = i64(buffer, at + 8)
    row["src_lo"] = i64(buffer, at + 16)
    row["dst_hi"] = i64(buffer, at + 24)
    row["dst_lo"] = i64(buffer, at + 32)
    row["ip_length"] = length
    row["ip_offset"] = at - base
    row["ip_id"] = -1
    row["fragment"] = WHOLE
    row["fragment_offset"] = 0
    stop = at + length
    end = min(end, stop)
    at += 40
    if not is_extension(following):
        return following, at, end, stop, False
    protocol, at, is_fragment = extensions(buffer, at, end, stop, following, row)
    return protocol, at, end, stop, is_fragment


@inline
def is_extension(protocol):
    """Header types that may stand between the IPv6 header and the transport, AH included."""
    return protocol in (HOP_BY_HOP, DESTINATION_OPTIONS, FRAGMENT, ROUTING, AH, MOBILITY, HIP, SHIM6)


@kernel
def extensions(buffer, at, end, stop, protocol, row):
    """Skip extension headers; stops behind a fragment header, as what follows it may lie in another frame."""
    for _ in range(MAX_EXTENSIONS):
        if not is_extension(protocol):
            row["protocol"] = protocol
            return protocol, at, False
        if stop - at < 8:
            return -BAD_EXTENSION_HEADER, at, False
        if end - at < 8:
            return -CUT_HEADER, at, False
        following = u8(buffer, at)
        if protocol == FRAGMENT:
            word = u16(buffer, at + 2)
            place = fragment_place(word & 0xFFF8, word & 1 != 0)
            row["ip_id"] = u32(buffer, at + 4)
            row["fragment"] = place
            row["fragment_offset"] = word & 0xFFF8
            at += 8
            if place != WHOLE:
                row["protocol"] = following
                return following, at, True
        elif protocol == AH:
            at += (u8(buffer, at + 1) + 2) << 2
        else:
            at += (u8(buffer, at + 1) + 1) << 3
        protocol = following
        if at > stop:
            return -BAD_EXTENSION_HEADER, at, False
    return -BAD_EXTENSION_HEADER, at, False
