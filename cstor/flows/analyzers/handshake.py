"""Handshake round trips and connect time (RFC 9293, section 3.5; Karn's rule: nothing is timed that was sent twice).

Samples wait for the packet that ends the handshake, since only then it is known that SYN and SYN-ACK were each seen
once.
"""

from __future__ import annotations

import numpy as np

from cstor.buckets.arena import attach, bucket_of
from cstor.buckets.columns import CONNECT_TIME, HANDSHAKE_RTT, HANDSHAKE_RTT_CLIENT, HANDSHAKE_RTT_SERVER
from cstor.flows.ledger import sample
from cstor.flows.registers import ROW, SLOT
from cstor.flows.seq import UNKNOWN, ahead, plus
from wire.packets.jit import inline, part

FLOW = [
    ("syn_count", "u1"),  # SYNs of this ISN by the client
    ("syn_ack_count", "u1"),
    ("awaiting", "i1"),  # 1 while the handshake is not over
    ("syn_ack_fits", "i1"),  # the SYN-ACK acknowledges ISN + 1
    ("measured", "u1"),  # bits of the timings that were sampled: they follow from the next three
    ("first_syn_ns", "i8"),
    ("syn_ack_ns", "i8"),  # the first one
    ("step_ns", "i8"),  # while undecided the last SYN, then the last SYN-ACK; in the end the ACK that ended it
    ("syn_gap_ns", "i8"),  # between the last two SYNs
]


MANY = 2  # SYNs and SYN-ACKs are not counted further: only "one or more" matters


@part
def note_syn(flow, now):
    """Another SYN of the client's."""
    if flow["syn_count"] == 0:
        flow["first_syn_ns"] = now
    flow["syn_count"] = min(flow["syn_count"] + 1, MANY)


@part
def note_syn_ack(flow, client, packet):
    """Another SYN-ACK of the server's."""
    if flow["syn_ack_count"] == 0:
        flow["syn_ack_ns"] = packet["time_ns"]
        flow["syn_ack_fits"] = client["isn"] != UNKNOWN and packet["ack"] == plus(client["isn"], 1)
    flow["syn_ack_count"] = min(flow["syn_ack_count"] + 1, MANY)


@part
def end_handshake(state, flow, server, packet):
    """A client packet with ACK: if it is the one that acknowledges the SYN-ACK, everything is known."""
    if flow["syn_ack_count"] == 0 or server["isn"] == UNKNOWN:
        flow["awaiting"] = 0
        return
    off = ahead(packet["ack"], plus(server["isn"], 1))
    if off >= 0:
        flow["awaiting"] = 0
    if off != 0:
        return
    now = packet["time_ns"]
    flow["step_ns"] = now
    if flow["syn_ack_count"] == 1:
        sample(state.out, flow, HANDSHAKE_RTT_CLIENT, now - flow["syn_ack_ns"])
        if sample_server(state, flow):
            sample(state.out, flow, HANDSHAKE_RTT, now - flow["first_syn_ns"])
    if flow["syn_count"] > 0:
        sample(state.out, flow, CONNECT_TIME, now - flow["first_syn_ns"])
    if flow["response_end_ns"] == UNKNOWN:
        flow["response_end_ns"] = now


@inline
def handshake_timing(flow, timing):
    """Nanoseconds of a timing that a connection has once, -1 where it was not measured."""
    if flow["measured"] >> timing & 1 == 0:
        return np.int64(-1)
    if timing == HANDSHAKE_RTT_SERVER:
        return flow["syn_ack_ns"] - flow["first_syn_ns"]
    if timing == HANDSHAKE_RTT_CLIENT:
        return flow["step_ns"] - flow["syn_ack_ns"]
    return flow["step_ns"] - flow["first_syn_ns"]


@part
def sample_server(state, flow):
    """The server's side, in the bucket of the SYN-ACK; False where Karn's rule forbids it."""
    if flow["syn_count"] != 1 or flow["syn_ack_count"] != 1 or flow["syn_ack_fits"] == 0:
        return False
    registers = state.out.registers
    slot, row = registers[SLOT], registers[ROW]
    second = bucket_of(registers, flow["syn_ack_ns"] // 1_000_000_000)
    attach(state.arena, registers, state.conversations[flow["conversation"]], second)
    sample(state.out, flow, HANDSHAKE_RTT_SERVER, flow["syn_ack_ns"] - flow["first_syn_ns"])
    registers[SLOT], registers[ROW] = slot, row
    return True
