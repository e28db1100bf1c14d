"""Visibility: bytes that the peer acknowledged but the capture never saw. A lossy mirror is told from a lossy network.

`hole` grows at a gap and shrinks as later segments fill it; an ACK that reaches the end proves that what is still
missing arrived. `reach` is the loss analyzer's `next`, but also moved by such an ACK, so that no byte is counted
twice.
"""

from __future__ import annotations

from cstor.buckets.columns import UNSEEN_BYTES
from cstor.flows.analyzers.loss import FAR, IS_ERROR, IS_PROBE
from cstor.flows.ledger import count
from cstor.flows.seq import UNKNOWN, ahead, plus
from wire.packets.jit import inline
from wire.packets.layout import ACK, FIN, RST, SYN

SIDE = [
    ("reach", "i8"),  # highest end seen or acknowledged
    ("hole", "i8"),  # bytes below it that are missing
    ("holed", "u1"),  # 1 if there are any
]


@inline
def watch_holes(own, packet, flags):
    """Holes of the sender's own data."""
    if flags & (IS_ERROR | IS_PROBE) == 0 and packet["flags"] & RST == 0:
        seq = packet["seq"]
        end = plus(seq, packet["payload_length"] + (1 if packet["flags"] & (SYN | FIN) else 0))
        if own["reach"] == UNKNOWN:
            own["reach"] = end
        else:
            off = ahead(seq, own["reach"])
            if off > 0:
                own["hole"] = off + (own["hole"] if own["holed"] == 1 else 0)
                own["holed"] = 1
            elif off < 0 and own["holed"] == 1 and packet["payload_length"] > 0:
                own["hole"] = max(own["hole"] - min(packet["payload_length"], -off), 0)
                own["holed"] = 1 if own["hole"] > 0 else 0
            if ahead(end, own["reach"]) > 0:
                own["reach"] = end


@inline
def watch_unseen(out, flow, peer, packet, role):
    """What the peer must have sent, since this packet acknowledges it. `role` is the sender of the ACK."""
    if packet["flags"] & (ACK | RST) == ACK and peer["reach"] != UNKNOWN:
        off = ahead(packet["ack"], peer["reach"])
        if 0 <= off < FAR and (off > 0 or peer["holed"] == 1):
            count(out, flow, UNSEEN_BYTES + 1 - role, off + (peer["hole"] if peer["holed"] == 1 else 0))
            peer["reach"] = packet["ack"]
            peer["holed"] = 0
