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
from wire.packets.jit import inline, part
from wire.packets.layout import ACK, FIN, RST, SYN

RING, SMALL_RING = 8, 4
SIDE = [
    ("ring", "i4"),  # place of its ring while segments are pending
    ("ring_mask", "u1"),  # its length - 1; large from when more than SMALL_RING were pending at a time
    ("ring_head", "u1"),  # the oldest pending segment
    ("ring_used", "u1"),
]
RING_ENTRIES = RING + SMALL_RING  # per side at most: a large ring, and a small one that some side had before
LARGE = RING - 1
END, TIME = 0, 1
NO_SAMPLE = -(1 << 62)
_CANCELS = IS_RESEND | IS_OUT_OF_ORDER | IS_GAP
_NOT_NEW = IS_RESEND | IS_OUT_OF_ORDER | IS_KEEP_ALIVE | IS_PROBE


@inline
def take_ring(out, own):
    """A ring for pending segments. Few sides have any at a time, so that the rings in use stay in the cache."""
    registers = out.registers
    free = RING_FREE + (own["ring_mask"] == LARGE)
    place = registers[free]
    if place >= 0:
        registers[free] = out.rings[place, END]
    else:
        place = registers[RING_HIGH]
        registers[RING_HIGH] += own["ring_mask"] + 1
    own["ring"] = place
    own["ring_head"] = 0


@part
def enlarge_ring(out, own):
    """Move a full small ring into a large one; the side takes large ones from now on."""
    old, head = own["ring"], np.int64(own["ring_head"])
    own["ring_mask"] = LARGE
    take_ring(out, own)
    for at in range(SMALL_RING):
        source = old + (head + at & SMALL_RING - 1)
        out.rings[own["ring"] + at, END] = out.rings[source, END]
        out.rings[own["ring"] + at, TIME] = out.rings[source, TIME]
    out.rings[old, END] = out.registers[RING_FREE]
    out.registers[RING_FREE] = old


@inline
def drop_ring(out, own):
    """Nothing is pending any more; there is a block for every side, so that taking one never fails."""
    if own["ring_used"] > 0:
        own["ring_used"] = 0
        free = RING_FREE + (own["ring_mask"] == LARGE)
        out.rings[own["ring"], END] = out.registers[free]
        out.registers[free] = own["ring"]


@inline
def answered_ns(out, peer, packet):
    """Round trip that this ACK completes, or NO_SAMPLE; what it covers is pending no longer."""
    rtt = NO_SAMPLE
    first = np.int64(peer["ring"])
    mask = np.int64(peer["ring_mask"])
    used = np.int64(peer["ring_used"])
    head = np.int64(peer["ring_head"])
    while used > 0:
        off = ahead(out.rings[first + head, END], packet["ack"])
        if off > 0:
            break
        if off == 0:
            rtt = packet["time_ns"] - out.rings[first + head, TIME]
        head = (head + 1) & mask
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
        elif own["ring_used"] > own["ring_mask"]:
            enlarge_ring(out, own)
        at = np.int64(own["ring"]) + ((own["ring_head"] + own["ring_used"]) & own["ring_mask"])
        out.rings[at, END] = plus(packet["seq"], packet["payload_length"] + (packet["flags"] & FIN))
        out.rings[at, TIME] = packet["time_ns"]
        own["ring_used"] += 1


@inline
def time_acks(out, flow, own, peer, packet, flags, role):
    """Sample of the path between the capture point and the sender of an ACK."""
    if peer["ring_used"] > 0 and packet["flags"] & (ACK | RST) == ACK:
        rtt = answered_ns(out, peer, packet)
        if rtt != NO_SAMPLE:
            sample(out, flow, ACK_RTT + role, rtt)
    remember(out, own, packet, flags)
