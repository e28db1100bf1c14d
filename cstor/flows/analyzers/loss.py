"""Loss, order and flow control, as tshark 4.0 decides with its defaults, in file order.

The rules are numbered as in docs/tcp-rules.md: steps 1-9 are flags that may come together, step 10 gives at most one
class, steps 11 and 12 move the state. Equality with tshark is the aim, its accidents included: "poisoned" duplicate
ACK counters, numbers that are not known and are compared as 0 (never stored as such: 0 becomes UNKNOWN), comparisons
that hold both ways between numbers half the circle apart.
"""

from __future__ import annotations

import numpy as np

from cstor.buckets.columns import (
    ACKED_UNSEEN,
    DUPLICATE_ACKS,
    FAST_RETRANSMISSIONS,
    GAP_BYTES,
    GAPS,
    KEEP_ALIVES,
    OUT_OF_ORDER,
    RETRANSMISSIONS,
    RETRANSMITTED_BYTES,
    SEQUENCE_ERRORS,
    SPURIOUS_RETRANSMISSIONS,
    WINDOW_FULL,
    ZERO_WINDOW_PROBES,
    ZERO_WINDOWS,
)
from cstor.flows.ledger import count
from cstor.flows.seq import UNKNOWN, ahead, plus
from wire.packets.jit import inline, part
from wire.packets.layout import ACK, FIN, RST, SYN

SIDE = [
    ("next", "i8"),  # highest end so far
    ("next_ns", "i8"),  # when it was set
    ("contig", "i8"),  # end of what came without a hole
    ("ack", "i8"),  # of the side's last packet, as the next three
    ("seen_ns", "i8"),
    ("window", "u2"),  # not scaled
    ("last", "u1"),  # what it was: IS_KEEP_ALIVE, IS_PROBE
    ("scale", "i1"),  # window shift, UNKNOWN, or NO_SCALE
    ("fresh", "u1"),  # 1 from SYN to the first ACK: that window is not scaled
    ("isn", "i8"),
    ("dup", "i1"),  # duplicate ACKs in a row, up to MANY_DUP, or POISONED
]
FLOW = [
    ("irtt_ns", "i8"),  # the last SYN without ACK of either side to the first ACK after it; before, when that SYN came
    ("irtt_known", "i1"),  # NO_SYN, SYN_SEEN, IRTT_KNOWN
]

NO_SYN, SYN_SEEN, IRTT_KNOWN = 0, 1, 2
NO_SCALE = -2
POISONED = -1
MANY_DUP = 100  # only "two or more" matters
FAST_NS = 20_000_000
UNORDERED_NS = 3_000_000  # limit for "out of order" while the round trip is unknown
FAR = 1 << 30

IS_KEEP_ALIVE = 1
IS_PROBE = 2
IS_ZERO_WINDOW = 4
IS_GAP = 8
IS_WINDOW_FULL = 16
IS_DUPLICATE_ACK = 32
IS_ACKED_UNSEEN = 64
IS_SPURIOUS = 128
IS_FAST = 256
IS_OUT_OF_ORDER = 512
IS_PLAIN = 1024
IS_ERROR = 2048
IS_RESEND = IS_SPURIOUS | IS_FAST | IS_PLAIN


@inline
def learn_isn(own, peer, packet):
    """Steps 0b and 0c, and the first sequence numbers of both sides."""
    seq = packet["seq"]
    kind = packet["flags"] & (SYN | ACK)
    if own["isn"] == UNKNOWN:
        own["isn"] = seq if kind & SYN else plus(seq, -1)
    elif kind == SYN:
        own["next"] = own["contig"]
    elif kind == SYN | ACK:
        own["isn"] = seq
    if peer["isn"] == UNKNOWN and kind & ACK:
        peer["isn"] = plus(packet["ack"], -1)


@inline
def window_of(side):
    """The window of the side's last packet, -1 before the first."""
    return -1 if side["seen_ns"] == UNKNOWN else np.int64(side["window"])


@inline
def window_flags(own, peer, packet, control):
    """Steps 2 to 7 for a packet that is not a zero-window probe."""
    flags = 0
    seq, ack, window, length = packet["seq"], packet["ack"], packet["window"], packet["payload_length"]
    next = max(own["next"], 0)
    if window == 0 and control == 0:
        flags |= IS_ZERO_WINDOW
    if next != 0 and control & RST == 0 and ahead(next, seq) < 0:
        flags |= IS_GAP
    if length <= 1 and control == 0 and seq == plus(next, -1):
        flags |= IS_KEEP_ALIVE
    if length > 0 and control == 0 and peer["scale"] != UNKNOWN:
        shift = 0 if peer["scale"] == NO_SCALE or peer["fresh"] == 1 else peer["scale"]
        if plus(seq, length) == plus(max(peer["ack"], 0), window_of(peer) << shift):
            flags |= IS_WINDOW_FULL
    if length == 0 and control == 0 and window == own["window"] and seq == next and ack == own["ack"]:
        answered = peer["last"] & (IS_KEEP_ALIVE if window != 0 else IS_PROBE)
        if window != 0 and answered == 0:
            flags |= IS_DUPLICATE_ACK
    return flags


@inline
def acked_unseen(peer, packet):
    """Step 9: an ACK beyond what was seen of the peer."""
    if packet["flags"] & ACK == 0 or peer["contig"] == UNKNOWN or ahead(peer["contig"], packet["ack"]) >= 0:
        return 0
    if ahead(peer["contig"], max(peer["next"], 0)) < 0:
        peer["contig"] = peer["next"]
        return IS_ACKED_UNSEEN
    flags = IS_ACKED_UNSEEN if peer["dup"] == 0 else 0
    peer["dup"] = POISONED
    return flags


@inline
def order_class(flow, own, peer, packet, end):
    """Step 10: resent, out of order, or neither. A negative time difference is unsigned in tshark: never small."""
    seq, length, now = packet["seq"], packet["payload_length"], packet["time_ns"]
    if length > 0 and peer["ack"] > 0 and ahead(plus(seq, length), peer["ack"]) <= 0:
        return IS_SPURIOUS
    next = own["next"]
    if next == UNKNOWN or ahead(seq, next) >= 0 or (length > 1 and seq == plus(next, -1)):
        return 0
    since = now - peer["seen_ns"]
    if (peer["dup"] >= 2 or peer["dup"] == POISONED) and seq == peer["ack"] and 0 <= since < FAST_NS:
        return IS_FAST
    age = now - own["next_ns"]
    limit = flow["irtt_ns"] if flow["irtt_known"] == IRTT_KNOWN else UNORDERED_NS
    if (0 <= age < limit or (limit < 0 and (age >= 0 or age < limit))) and end != next:
        return IS_OUT_OF_ORDER
    return IS_PLAIN


@inline
def classify(flow, own, peer, packet):
    """All flags of a packet; the state moves on to the next one."""
    learn_isn(own, peer, packet)
    control = packet["flags"] & (SYN | FIN | RST)
    seq, length = packet["seq"], packet["payload_length"]
    end = plus(seq, length + (1 if control & (SYN | FIN) else 0))
    if length == 1 and seq == max(own["next"], 0) and window_of(peer) == 0:
        flags = IS_PROBE
    else:
        flags = window_flags(own, peer, packet, control)
        if flags & IS_DUPLICATE_ACK:
            own["dup"] = 1 if own["dup"] == POISONED else min(own["dup"] + 1, MANY_DUP)
    if packet["ack"] != own["ack"]:
        own["dup"] = 0
    flags |= acked_unseen(peer, packet)
    if (length > 0 or control & (SYN | FIN)) and flags & IS_KEEP_ALIVE == 0:
        flags |= order_class(flow, own, peer, packet, end)
    # Sane stacks never combine these; beside the class, not instead of it.
    if own["next"] != UNKNOWN and abs(ahead(seq, own["next"])) > FAR:
        flags |= IS_ERROR
    if control == SYN | FIN or control == SYN | RST or control == FIN | RST or control == SYN | FIN | RST:
        flags |= IS_ERROR
    return flags


@inline
def move_on(flow, own, peer, packet, flags):
    """Steps 11 and 12: after every analyzer has seen the state as it was before the packet. Returns the gap's bytes."""
    kind = packet["flags"] & (SYN | ACK)
    gap = 0
    if flags & IS_PROBE == 0:
        seq = packet["seq"]
        end = plus(seq, packet["payload_length"] + (1 if packet["flags"] & (SYN | FIN) else 0))
        if flags & IS_GAP:
            gap = ahead(seq, own["next"])
        if own["next"] == UNKNOWN or ahead(own["next"], end) < 0:
            own["next"] = end if end != 0 else UNKNOWN  # 0 means unknown in tshark, as after an RST with sequence 0
            own["next_ns"] = packet["time_ns"]
        if own["contig"] == UNKNOWN or seq == own["contig"]:
            own["contig"] = own["next"]
    own["ack"] = packet["ack"]
    own["window"] = packet["window"]
    own["seen_ns"] = packet["time_ns"]
    own["last"] = flags & (IS_KEEP_ALIVE | IS_PROBE)
    if kind == SYN:
        if flow["irtt_known"] != IRTT_KNOWN:
            flow["irtt_ns"] = packet["time_ns"]
            flow["irtt_known"] = SYN_SEEN
    elif kind == ACK:
        own["fresh"] = 0
        if flow["irtt_known"] == SYN_SEEN and flow["irtt_ns"] != packet["time_ns"]:
            flow["irtt_ns"] = packet["time_ns"] - flow["irtt_ns"]
            flow["irtt_known"] = IRTT_KNOWN
    if kind & SYN:
        own["fresh"] = 1
        learn_scale(own, peer, packet, kind)
    elif packet["option_scale"] >= 0:  # belongs only on a SYN, but tshark believes it anywhere
        own["scale"] = min(packet["option_scale"], 14)
    return gap


@inline
def learn_scale(own, peer, packet, kind):
    """Step 12b: window scaling holds only where both SYNs carry the option (RFC 7323)."""
    option = packet["option_scale"]
    if option >= 0:
        own["scale"] = min(option, 14)
    if own["scale"] == UNKNOWN:
        own["scale"] = NO_SCALE
        peer["scale"] = NO_SCALE
    elif kind & ACK and peer["scale"] == NO_SCALE:
        own["scale"] = NO_SCALE


@part
def report_loss(out, flow, packet, flags, gap, role):
    """Count the classes that a packet fell into; called only for packets that fell into any."""
    if flags & IS_KEEP_ALIVE:
        count(out, flow, KEEP_ALIVES + role, 1)
    if flags & IS_PROBE:
        count(out, flow, ZERO_WINDOW_PROBES + role, 1)
    if flags & IS_ZERO_WINDOW:
        count(out, flow, ZERO_WINDOWS + role, 1)
    if flags & IS_GAP:
        count(out, flow, GAPS + role, 1)
        if flags & IS_ERROR == 0:
            count(out, flow, GAP_BYTES + role, gap)
    if flags & IS_WINDOW_FULL:
        count(out, flow, WINDOW_FULL + role, 1)
    if flags & IS_DUPLICATE_ACK:
        count(out, flow, DUPLICATE_ACKS + role, 1)
    if flags & IS_ACKED_UNSEEN:
        count(out, flow, ACKED_UNSEEN + role, 1)
    if flags & IS_SPURIOUS:
        count(out, flow, SPURIOUS_RETRANSMISSIONS + role, 1)
    if flags & IS_FAST:
        count(out, flow, FAST_RETRANSMISSIONS + role, 1)
    if flags & IS_OUT_OF_ORDER:
        count(out, flow, OUT_OF_ORDER + role, 1)
    if flags & IS_RESEND:
        count(out, flow, RETRANSMISSIONS + role, 1)
        if packet["payload_length"] > 0:
            count(out, flow, RETRANSMITTED_BYTES + role, packet["payload_length"])
    if flags & IS_ERROR:
        count(out, flow, SEQUENCE_ERRORS + role, 1)
