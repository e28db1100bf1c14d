"""ACK round trips: payload sent towards X, to the ACK of X that ends exactly there (Karn, RFC 6298 section 3).

At most eight segments per direction are timed at once, and an ACK gives at most one sample. A resent or out-of-order
segment or a gap cancels everything that is pending in its direction.
"""

from __future__ import annotations

import numpy as np

from cstor.buckets.columns import ACK_RTT
from cstor.flows.analyzers.loss import IS_GAP, IS_KEEP_ALIVE, IS_OUT_OF_ORDER, IS_PROBE, IS_RESEND
from cstor.flows.ledger import sample
from cstor.flows.registers import RING_FREE, RING_HIGH
from cstor.flows.seq import ahead, plus
from wire.packets.jit import inline
from wire.packets.layout import ACK, FIN, RST, SYN

RING = 8
SIDE = [
    ("ring", "i4"),  # its block while segments are pending
    ("ring_head", "u1"),  # the oldest pending segment
    ("ring_used", "u1"),
]
END, TIME = 0, 1
NO_SAMPLE = -(1 << 62)
_CANCELS = IS_RESEND | IS_OUT_OF_ORDER | IS_GAP
_NOT_NEW = IS_RESEND | IS_OUT_OF_ORDER | IS_KEEP_ALIVE | IS_PROBE


@inline
def take_ring(out, own):
    """A block for pending segments. Few sides have any at a time, so that the blocks in use stay in the cache."""
    registers = out.registers
    number = registers[RING_FREE]
    if number >= 0:
        registers[RING_FREE] = out.rings[number, 0, END]
    else:
        number = registers[RING_HIGH]
        registers[RING_HIGH] += 1
    own["ring"] = number
    own["ring_head"] = 0


@inline
def drop_ring(out, own):
    """Nothing is pending any more; there is a block for every side, so that taking one never fails."""
    if own["ring_used"] > 0:
        own["ring_used"] = 0
        out.rings[own["ring"], 0, END] = out.registers[RING_FREE]
        out.registers[RING_FREE] = own["ring"]


@inline
def answered_ns(out, peer, packet):
    """Round trip that this ACK completes, or NO_SAMPLE; what it covers is pending no longer."""
    rtt = NO_SAMPLE
    pending = out.rings[peer["ring"]]
    used = np.int64(peer["ring_used"])
    head = np.int64(peer["ring_head"])
    while used > 0:
        off = ahead(pending[head, END], packet["ack"])
        if off > 0:
            break
        if off == 0:
            rtt = packet["time_ns"] - pending[head, TIME]
        head = (head + 1) & (RING - 1)
        used -= 1
    if used == 0:
        drop_ring(out, peer)
    else:
        peer["ring_head"] = head
        peer["ring_used"] = used
    return rtt


@inline
def remember(out, own, packet, flags):
    """Start the clock of a new segment, or cancel what is pending."""
    if flags & _CANCELS:
        drop_ring(out, own)
    if (
        packet["payload_length"] > 0
        and flags & _NOT_NEW == 0
        and packet["flags"] & SYN == 0
        and own["ring_used"] < RING
    ):
        if own["ring_used"] == 0:
            take_ring(out, own)
        at = (own["ring_head"] + own["ring_used"]) & (RING - 1)
        pending = out.rings[own["ring"]]
        pending[at, END] = plus(packet["seq"], packet["payload_length"] + (packet["flags"] & FIN))
        pending[at, TIME] = packet["time_ns"]
        own["ring_used"] += 1


@inline
def time_acks(out, flow, own, peer, packet, flags, role):
    """Sample of the path between the capture point and the sender of an ACK."""
    if peer["ring_used"] > 0 and packet["flags"] & (ACK | RST) == ACK:
        rtt = answered_ns(out, peer, packet)
        if rtt != NO_SAMPLE:
            sample(out, flow, ACK_RTT + role, rtt)
    remember(out, own, packet, flags)
