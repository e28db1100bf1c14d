"""Connections: attempts, one verdict per attempt, and the end of those that were established.

A verdict is counted in the bucket of its decision and never corrected. Timers (unanswered, half open, timed out) are in
cstor/flows/timers.py; this file has the decisions that packets bring.
"""

from __future__ import annotations

from cstor.buckets.columns import (
    ATTEMPTS,
    CLIENT_ABORTED,
    CLOSED,
    COLUMN_ACTIVE,
    ESTABLISHED,
    FINS,
    MISSING_SYN,
    ONE_SIDED,
    REFUSED,
    RESET_BY_CLIENT,
    RESET_BY_SERVER,
    RESETS,
    SESSION_DURATION,
    SYN_ACKS,
    SYN_RETRANSMISSIONS,
    SYNS,
    outcome_number,
)
from cstor.flows.analyzers.handshake import end_handshake, note_syn, note_syn_ack, sample_server
from cstor.flows.analyzers.turns import end_turn
from cstor.flows.analyzers.window import open_window
from cstor.flows.ledger import count, sample
from cstor.flows.registers import ROW, SLOT
from cstor.flows.seq import UNKNOWN, ahead
from wire.packets.jit import inline, part
from wire.packets.layout import ACK, FIN, RST, SYN

FLOW = [
    ("phase", "i1"),
    ("outcome", "i1"),  # index in OUTCOMES
    ("fin_sides", "i1"),  # bit per side
]
NEW, SYN_SENT, SYN_ACKED, OPEN, ENDED, FAILED, NOT_TCP = range(7)

ACTIVE = outcome_number("active")
SUPERSEDED = outcome_number("established")
IS_CLOSED = outcome_number("closed")
IS_RESET_BY_CLIENT = outcome_number("reset_by_client")
IS_RESET_BY_SERVER = outcome_number("reset_by_server")
IS_REFUSED = outcome_number("refused")
IS_CLIENT_ABORTED = outcome_number("client_aborted")
NO_OUTCOME = outcome_number("")

LINGER_NS = 10_000_000_000  # a connection that ended is kept so long after its last packet
SILENT_NS = 300_000_000_000  # an established one is timed out
HALF_OPEN_NS = 10_000_000_000
UNANSWERED_NS = 4_000_000_000


@inline
def follow_connection(state, number, flow, own, peer, packet, side, role):
    """Most packets decide nothing: only those with a control flag, or during a handshake, are looked at."""
    if packet["flags"] & (SYN | FIN | RST) != 0 or flow["awaiting"] == 1 or flow["phase"] < OPEN:
        step_connection(state, number, flow, own, peer, packet, side, role)


@part
def step_connection(state, number, flow, own, peer, packet, side, role):
    """One packet of a handshake, or one with a control flag."""
    kind = packet["flags"]
    now = packet["time_ns"]
    if flow["phase"] == NEW and kind & (SYN | ACK) != SYN:
        count(state.out, flow, MISSING_SYN, 1)
        set_open(state, number, flow, now)
    if kind & (SYN | ACK) == SYN:
        saw_syn(state, number, flow, now, role)
    elif kind & SYN:
        saw_syn_ack(state, number, flow, peer, packet, role)
    elif kind & RST == 0:
        if role == 0 and kind & ACK:
            if flow["awaiting"] == 1:
                end_handshake(state, flow, peer, packet)
            establish(state, number, flow, now)
        elif role == 1 and packet["payload_length"] > 0:
            establish(state, number, flow, now)
    if kind & FIN:
        saw_fin(state, number, flow, now, side, role)
    if kind & RST:
        saw_reset(state, number, flow, peer, packet, role)


@part
def saw_syn(state, number, flow, now, role):
    """A SYN without ACK; another ISN has made a new connection before this."""
    count(state.out, flow, SYNS, 1)
    if role == 1:
        return
    if flow["syn_count"] == 0:
        count(state.out, flow, ATTEMPTS, 1)
        if flow["phase"] == OPEN:  # it comes late: the connection is there already
            count(state.out, flow, ESTABLISHED, 1)
    else:
        count(state.out, flow, SYN_RETRANSMISSIONS, 1)
    note_syn(flow, now)
    if flow["phase"] == NEW:
        flow["phase"] = SYN_SENT
        flow["awaiting"] = 1
    if flow["phase"] == SYN_SENT:
        if flow["syn_count"] > 1:
            flow["syn_gap_ns"] = now - flow["step_ns"]
        flow["step_ns"] = now
        state.deadlines[number] = now + UNANSWERED_NS


@part
def saw_syn_ack(state, number, flow, client, packet, role):
    """A SYN-ACK of the server (one of the client is part of a simultaneous open)."""
    count(state.out, flow, SYN_ACKS, 1)
    if role == 0:
        return
    if flow["syn_ack_count"] == 0 and flow["syn_count"] == 0:
        flow["awaiting"] = 1
    note_syn_ack(flow, client, packet)
    if flow["phase"] == SYN_SENT or flow["phase"] == SYN_ACKED:
        flow["phase"] = SYN_ACKED
        flow["step_ns"] = packet["time_ns"]
        state.deadlines[number] = packet["time_ns"] + HALF_OPEN_NS


@part
def establish(state, number, flow, now):
    """The handshake is proven."""
    if flow["phase"] == SYN_SENT or flow["phase"] == SYN_ACKED:
        count(state.out, flow, ESTABLISHED, 1)
        set_open(state, number, flow, now)


@part
def set_open(state, number, flow, now):
    """The connection counts as open from here."""
    flow["phase"] = OPEN
    flow["active_seconds"] += 1
    state.deadlines[number] = now + SILENT_NS
    add_open(state, flow, 1)


@part
def add_open(state, flow, change):
    """Open connections of the conversation, as of now: what stands at the end of the second is the second's."""
    conversation = state.conversations[flow["conversation"]]
    conversation["open"] += change
    registers = state.out.registers
    state.arena.dense[registers[SLOT], registers[ROW], COLUMN_ACTIVE] = conversation["open"]


@part
def saw_fin(state, number, flow, now, side, role):
    """Closed when both sides have sent a FIN."""
    count(state.out, flow, FINS + role, 1)
    flow["fin_sides"] |= 1 << side
    if flow["fin_sides"] == 3 and flow["phase"] == OPEN:
        end_connection(state, number, flow, now, CLOSED, IS_CLOSED)


@part
def saw_reset(state, number, flow, peer, packet, role):
    """Refused, aborted, or the end; an RST to an undecided SYN must acknowledge something of this attempt."""
    count(state.out, flow, RESETS + role, 1)
    now = packet["time_ns"]
    if flow["phase"] == OPEN:
        if role == 0:
            end_connection(state, number, flow, now, RESET_BY_CLIENT, IS_RESET_BY_CLIENT)
        else:
            end_connection(state, number, flow, now, RESET_BY_SERVER, IS_RESET_BY_SERVER)
    elif flow["phase"] == SYN_SENT or flow["phase"] == SYN_ACKED:
        if role == 0:
            fail(state, number, flow, now, CLIENT_ABORTED, IS_CLIENT_ABORTED)
        elif packet["flags"] & ACK == 0 or (
            ahead(packet["ack"], peer["isn"]) > 0 and ahead(packet["ack"], peer["next"]) <= 0
        ):
            fail(state, number, flow, now, REFUSED, IS_REFUSED)


@part
def fail(state, number, flow, now, fact, outcome):
    """The verdict on an attempt that did not become a connection."""
    if flow["awaiting"] == 1:
        sample_server(state, flow)
        flow["awaiting"] = 0
    count(state.out, flow, fact, 1)
    flow["phase"] = FAILED
    flow["outcome"] = outcome
    state.deadlines[number] = now + LINGER_NS


@part
def end_connection(state, number, flow, now, fact, outcome):
    """The end of a connection that was open."""
    count(state.out, flow, fact, 1)
    sample(state.out, flow, SESSION_DURATION, flow["last_ns"] - flow["start_ns"])
    conclude(state, number, flow)
    add_open(state, flow, -1)
    flow["phase"] = ENDED
    flow["outcome"] = outcome
    state.deadlines[number] = now + LINGER_NS


@part
def conclude(state, number, flow):
    """What was going on when an open connection ended: its last response, closed windows, a direction never seen."""
    end_turn(state.out, flow)
    for side in range(2):
        own = state.sides[2 * number + side]
        if own["closed_ns"] != UNKNOWN:
            open_window(state.out, flow, own, flow["last_ns"], side ^ flow["client_side"])
    if state.sides[2 * number]["packets"] == 0 or state.sides[2 * number + 1]["packets"] == 0:
        count(state.out, flow, ONE_SIDED, 1)
