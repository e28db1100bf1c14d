"""The columns of a decoded packet, the reasons why one may be malformed, and the link types that can be read.

One record per packet, innermost IP packet, innermost transport. Fields are ordered by cache line (64 bytes): the first
two hold what every packet has, the third the rarer ones, the fourth only ICMP quotations. `decode_batch` resets a whole
record before it fills it, so no field is ever left over from another packet.
"""

from __future__ import annotations

import numpy as np

PACKET = np.dtype(
    [
        # line 1: when, how long, who
        ("time_ns", "i8"),  # receive time, UTC
        ("wire_length", "i4"),  # of the whole frame
        ("captured", "i4"),  # bytes of it that are here
        ("src_hi", "i8"),  # addresses as 128-bit patterns in network order; IPv4 as ::ffff:a.b.c.d
        ("src_lo", "i8"),
        ("dst_hi", "i8"),
        ("dst_lo", "i8"),
        ("src_port", "i4"),  # 0 none, or not known (yet) for a fragment
        ("dst_port", "i4"),
        ("vni", "i4"),  # of the mirror, -1 none (0 is a VNI)
        ("vlan", "i4"),  # outermost tag outside any tunnel, -1 none
        # line 2: what the analyzers of every packet need
        ("ip_length", "i8"),  # innermost IP packet, whole by its length field
        ("payload_length", "i8"),  # IP length less headers; of the whole datagram where a fragment completes it, else 0
        ("seq", "i8"),  # 0 .. 2^32 - 1
        ("ack", "i8"),
        ("ip_offset", "i4"),  # offsets from the start of the frame; -1 absent
        ("l4_offset", "i4"),  # -1 also for a reassembled datagram: its bytes lie in several frames
        ("payload_offset", "i4"),
        ("window", "i4"),  # as on the wire, not scaled
        ("error", "i2"),  # index into ERRORS, 0 none
        ("flags", "i2"),  # TCP flags, see FIN .. CWR
        ("version", "u1"),  # 0 not IP, 4, 6
        ("protocol", "u1"),  # innermost, after extension headers
        ("tunnels", "u1"),  # layers removed
        ("fragment", "u1"),  # see WHOLE .. LAST_FRAGMENT; an atomic IPv6 fragment is whole
        ("complete", "u1"),  # 1: has the transport header of a whole datagram, analyse it; 0: volume only
        ("option_sack", "u1"),  # SACK_PERMITTED | SACK_BLOCKS
        ("quoted_protocol", "u1"),  # 0: no quotation, the quoted_ fields are 0 or -1
        ("vni_weak", "u1"),  # 1: vni is of a gateway load balancer's GENEVE, a VXLAN inside replaces it
        ("option_scale", "i2"),  # window scale, -1 none
        ("marks", "u1"),  # what happened to it on its way to us: DUPLICATE | MOVED; the decoder leaves 0
        # line 3
        ("ts_val", "i8"),  # TCP timestamps, -1 none
        ("ts_ecr", "i8"),
        ("ip_id", "i8"),  # 32 bits in IPv6's fragment header; -1 none
        ("peer_time_ns", "i8"),  # receive time carried by a broker of ours, 0 none
        ("option_mss", "i4"),  # -1 none
        ("fragment_offset", "i4"),  # bytes
        ("quoted_src_port", "i4"),
        ("quoted_dst_port", "i4"),
        ("quoted_seq", "i8"),  # -1 none
        ("icmp_type", "i2"),  # -1 not ICMP
        ("icmp_code", "i2"),
        # line 4: the packet that an ICMP error quotes
        ("quoted_src_hi", "i8"),
        ("quoted_src_lo", "i8"),
        ("quoted_dst_hi", "i8"),
        ("quoted_dst_lo", "i8"),
    ],
    align=True,
)

ABSENT = ("vni", "vlan", "ip_offset", "l4_offset", "payload_offset", "option_scale", "icmp_type", "icmp_code")
ABSENT += ("ts_val", "ts_ecr", "ip_id", "option_mss", "quoted_seq")

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
SACK_PERMITTED, SACK_BLOCKS = 1, 2
DUPLICATE, MOVED = 1, 2  # captured before; put back into its place by the reorder window
WHOLE, FIRST_FRAGMENT, MIDDLE_FRAGMENT, LAST_FRAGMENT = 0, 1, 2, 3

ICMP, IPIP, TCP, UDP, IPV6, ROUTING, FRAGMENT, GRE, ESP, AH, ICMPV6 = 1, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58
NO_NEXT_HEADER, ETHERIP, SCTP, UDP_LITE, MPLS_IN_IP = 59, 97, 132, 136, 137

# Reasons in the order of their numbers. Names are part of the output of `ingest`, of the API and of the metrics.
ERRORS = (
    "none",
    "cut_header",  # a header ends after the captured bytes do
    "bad_ip_version",
    "bad_ip_header_length",
    "bad_ip_length",  # the length field is smaller than the header
    "bad_extension_header",
    "bad_fragment",  # ends beyond 65,535 bytes, or is not a multiple of 8 although more follow
    "bad_tcp_header",
    "bad_tcp_options",  # counted only: the packet is analysed
    "bad_udp_length",
    "bad_icmp",
    "bad_tunnel",
    "too_many_tunnels",  # counted only: what was reached is analysed
)
(
    NONE,
    CUT_HEADER,
    BAD_IP_VERSION,
    BAD_IP_HEADER_LENGTH,
    BAD_IP_LENGTH,
    BAD_EXTENSION_HEADER,
    BAD_FRAGMENT,
    BAD_TCP_HEADER,
    BAD_TCP_OPTIONS,
    BAD_UDP_LENGTH,
    BAD_ICMP,
    BAD_TUNNEL,
    TOO_MANY_TUNNELS,
) = range(len(ERRORS))

MAX_TUNNELS = 4
MAX_CAPTURED = 262_144  # a longer record is a broken file, as for libpcap

# LINKTYPE_ numbers as registered with the tcpdump group; DLT_RAW has three more on different systems.
LINK_NULL, LINK_ETHERNET, LINK_PPP, LINK_PPP_HDLC, LINK_RAW = 0, 1, 9, 50, 101
LINK_CISCO_HDLC, LINK_LOOP, LINK_SLL, LINK_IPV4, LINK_IPV6, LINK_SLL2 = 104, 108, 113, 228, 229, 276
LINK_TYPES = {
    LINK_NULL: "BSD loopback (NULL)",
    LINK_ETHERNET: "Ethernet",
    LINK_PPP: "PPP",
    12: "raw IP",
    14: "raw IP",
    LINK_PPP_HDLC: "PPP in HDLC framing",
    LINK_RAW: "raw IP",
    LINK_CISCO_HDLC: "Cisco HDLC",
    LINK_LOOP: "OpenBSD loopback (LOOP)",
    LINK_SLL: "Linux cooked v1",
    LINK_IPV4: "raw IPv4",
    LINK_IPV6: "raw IPv6",
    LINK_SLL2: "Linux cooked v2",
}


def new_packets(capacity: int) -> np.ndarray:
    """Room for the records of `capacity` packets."""
    return np.zeros(capacity, PACKET)


def new_error_counters() -> np.ndarray:
    """One counter per reason of ERRORS."""
    return np.zeros(len(ERRORS), np.int64)


def empty_packet() -> np.ndarray:
    """An array of one record in which every field says "absent"."""
    packet = np.zeros(1, PACKET)
    for name in ABSENT:
        packet[name] = -1
    return packet
