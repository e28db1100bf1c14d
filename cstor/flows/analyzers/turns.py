"""Turns: what the client asks and the server answers. Response time is the server's think time as seen here.

Only new payload counts. A turn is valid if the request's first segment acknowledges all that the server has sent so far
and the response's first segment acknowledges the whole request; any other is ambiguous and gives no sample.
"""

from __future__ import annotations

from cstor.buckets.columns import CLIENT_THINK, REQUEST_TRANSFER, RESPONSE_TIME, RESPONSE_TRANSFER, TURNS_AMBIGUOUS
from cstor.flows.analyzers.loss import IS_KEEP_ALIVE, IS_OUT_OF_ORDER, IS_PROBE, IS_RESEND
from cstor.flows.ledger import count, sample
from cstor.flows.seq import UNKNOWN, ahead
from wire.packets.jit import inline, kernel, part
from wire.packets.layout import ACK, SYN

FLOW = [
    ("turn", "u1"),  # IDLE, ASKING, ANSWERING
    ("turn_valid", "u1"),
    ("turn_ns", "i8"),  # first byte of the request, then of the response
    ("request_end_ns", "i8"),
    ("response_end_ns", "i8"),  # or the handshake's ACK; UNKNOWN: nothing to think about yet
]
IDLE, ASKING, ANSWERING = 0, 1, 2
_NOT_NEW = IS_RESEND | IS_KEEP_ALIVE | IS_PROBE


@inline
def follow_turns(out, flow, peer, packet, flags, role):
    """Move the turn on with a packet that carries new payload."""
    if packet["payload_length"] > 0 and flags & _NOT_NEW == 0 and packet["flags"] & SYN == 0:
        now = packet["time_ns"]
        covered = packet["flags"] & ACK != 0 and (peer["next"] == UNKNOWN or ahead(packet["ack"], peer["next"]) >= 0)
        late = flags & IS_OUT_OF_ORDER != 0
        if role == 0:
            if flow["turn"] == ASKING:
                flow["request_end_ns"] = now
            elif not late:
                start_request(out, flow, now, covered)
        elif flow["turn"] == ASKING:
            if not late:
                start_response(out, flow, now, covered)
        else:
            flow["response_end_ns"] = now


@part
def start_request(out, flow, now, covered):
    """The first byte of a request: the previous turn is over."""
    end_turn(out, flow)
    if covered and flow["response_end_ns"] != UNKNOWN:
        sample(out, flow, CLIENT_THINK, now - flow["response_end_ns"])
    flow["turn"] = ASKING
    flow["turn_valid"] = 1 if covered else 0
    flow["turn_ns"] = now
    flow["request_end_ns"] = now


@part
def start_response(out, flow, now, covered):
    """The first byte of a response completes the request."""
    if flow["turn_valid"] == 1 and covered:
        sample(out, flow, REQUEST_TRANSFER, flow["request_end_ns"] - flow["turn_ns"])
        sample(out, flow, RESPONSE_TIME, now - flow["request_end_ns"])
    else:
        flow["turn_valid"] = 0
        count(out, flow, TURNS_AMBIGUOUS, 1)
    flow["turn"] = ANSWERING
    flow["turn_ns"] = now
    flow["response_end_ns"] = now


@kernel
def end_turn(out, flow):
    """The response is over: the next request begins, or the connection ends."""
    if flow["turn"] == ANSWERING and flow["turn_valid"] == 1:
        sample(out, flow, RESPONSE_TRANSFER, flow["response_end_ns"] - flow["turn_ns"])
    flow["turn"] = IDLE
