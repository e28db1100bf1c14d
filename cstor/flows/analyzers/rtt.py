"""ACK round trips: payload sent towards X, to the ACK of X that ends exactly there (Karn, RFC 6298 section 3).

At most eight segments per direction are timed at once, and an ACK gives at most one sample. A resent or out-of-order
segment or a gap cancels everything that is pending in its direction.
"""

from __future__ import annotations

import numpy as np

from cstor.buckets.columns import ACK_RTT
from cstor.flows.analyzers.loss import IS_GAP, IS_KEEP_ALIVE, IS_OUT_OF_ORDER, IS_PROBE, IS_RESEND
from cstor.flows.ledger import sample
from cstor.flows.seq import ahead, plus
from wire.packets.jit import inline
from wire.packets.layout import ACK, FIN, RST, SYN

RING = 8
SIDE = [
    ("ring_head", "i4"),  # the oldest pending segment
    ("ring_used", "i4"),
    ("ring_end", "u4", (RING,)),
    ("ring_ns", "i8", (RING,)),
]
NO_SAMPLE = -(1 << 62)
_CANCELS = IS_RESEND | IS_OUT_OF_ORDER | IS_GAP
_NOT_NEW = IS_RESEND | IS_OUT_OF_ORDER | IS_KEEP_ALIVE | IS_PROBE


@inline
def answered_ns(peer, packet):
    """Round trip that this ACK completes, or NO_SAMPLE; what it covers is pending no longer."""
    rtt = NO_SAMPLE
    used = peer["ring_used"]
    head = peer["ring_head"]
    while used > 0:
        off = ahead(np.int64(peer["ring_end"][head]), packet["ack"])
        if off > 0:
            break
        if off == 0:
            rtt = packet["time_ns"] - peer["ring_ns"][head]
        head = (head + 1) & (RING - 1)
        used -= 1
    peer["ring_head"] = head if used > 0 else 0  # mostly one or two are pending: their slots share a cache line
    peer["ring_used"] = used
    return rtt


@inline
def remember(own, packet, flags):
    """Start the clock of a new segment, or cancel what is pending."""
    if flags & _CANCELS:
        own["ring_used"] = 0
        own["ring_head"] = 0
    if (
        packet["payload_length"] > 0
        and flags & _NOT_NEW == 0
        and packet["flags"] & SYN == 0
        and own["ring_used"] < RING
    ):
        at = (own["ring_head"] + own["ring_used"]) & (RING - 1)
        own["ring_end"][at] = plus(packet["seq"], packet["payload_length"] + (packet["flags"] & FIN))
        own["ring_ns"][at] = packet["time_ns"]
        own["ring_used"] += 1


@inline
def time_acks(out, flow, own, peer, packet, flags, role):
    """Sample of the path between the capture point and the sender of an ACK."""
    if peer["ring_used"] > 0 and packet["flags"] & (ACK | RST) == ACK:
        rtt = answered_ns(peer, packet)
        if rtt != NO_SAMPLE:
            sample(out, flow, ACK_RTT + role, rtt)
    remember(own, packet, flags)
