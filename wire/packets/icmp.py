"""ICMP (RFC 792) and ICMPv6 (RFC 4443): type, code, and the packet that an error quotes.

A quotation is never analysed as a packet; it tells which conversation the error is about.
"""

from __future__ import annotations

import numpy as np

from wire.packets.bigendian import i64, u8, u16, u32
from wire.packets.ip import MAPPED_IPV4, MAX_EXTENSIONS, is_extension
from wire.packets.jit import inline, kernel
from wire.packets.layout import AH, BAD_ICMP, CUT_HEADER, FRAGMENT, ICMP, SCTP, TCP, UDP


@kernel
def icmp(buffer, at, end, stop, base, protocol, row):
    """Answers 0 or a negated reason."""
    if stop - at < 4:
        return -BAD_ICMP
    if end - at < 4:
        return -CUT_HEADER
    kind = u8(buffer, at)
    row["icmp_type"] = kind
    row["icmp_code"] = u8(buffer, at + 1)
    row["payload_length"] = max(stop - at - 8, 0)
    row["payload_offset"] = at + 8 - base
    if quotes(kind, protocol) and end - at >= 28:
        quotation(buffer, at + 8, end, row)
    return 0


@inline
def quotes(kind, protocol):
    if protocol == ICMP:
        return kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12
    return 1 <= kind <= 4


@kernel
def quotation(buffer, at, end, row):
    """Addresses, protocol and the first 8 bytes of its transport: all that RFC 792 promises."""
    version = u8(buffer, at) >> 4
    if version == 4:
        header = (u8(buffer, at) & 15) << 2
        if header < 20:
            return
        row["quoted_protocol"] = u8(buffer, at + 9)
        row["quoted_src_lo"] = MAPPED_IPV4 | u32(buffer, at + 12)
        row["quoted_dst_lo"] = MAPPED_IPV4 | u32(buffer, at + 16)
        if u16(buffer, at + 6) & 0x1FFF == 0:
            quoted_transport(buffer, at + header, end, row)
    elif version == 6 and end - at >= 40:
        row["quoted_protocol"] = u8(buffer, at + 6)
        row["quoted_src_hi"] = i64(buffer, at + 8)
        row["quoted_src_lo"] = i64(buffer, at + 16)
        row["quoted_dst_hi"] = i64(buffer, at + 24)
        row["quoted_dst_lo"] = i64(buffer, at + 32)
        quoted_extensions(buffer, at + 40, end, row)


@kernel
def quoted_extensions(buffer, at, end, row):
    protocol = np.int64(row["quoted_protocol"])
    for _ in range(MAX_EXTENSIONS):
        if not is_extension(protocol):
            row["quoted_protocol"] = protocol
            quoted_transport(buffer, at, end, row)
            return
        if end - at < 8:
            return
        following, length = u8(buffer, at), u8(buffer, at + 1)
        if protocol == FRAGMENT:
            if u16(buffer, at + 2) & 0xFFF8:
                row["quoted_protocol"] = following
                return
            at += 8
        elif protocol == AH:
            at += (length + 2) << 2
        else:
            at += (length + 1) << 3
        protocol = following


@inline
def quoted_transport(buffer, at, end, row):
    protocol = row["quoted_protocol"]
    if protocol in (TCP, UDP, SCTP):
        if end - at >= 4:
            row["quoted_src_port"] = u16(buffer, at)
            row["quoted_dst_port"] = u16(buffer, at + 2)
        if protocol == TCP and end - at >= 8:
            row["quoted_seq"] = u32(buffer, at + 4)
