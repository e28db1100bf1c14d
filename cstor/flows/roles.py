"""Who is the client: the sender of the SYN; else the one with the higher port, or of the first packet (METRICS,
Roles)."""

from __future__ import annotations

from cstor.buckets.arena import attach
from cstor.buckets.conversations import enter, leave
from cstor.flows.analyzers.connections import OPEN
from cstor.flows.ledger import turn_cells
from wire.packets.jit import inline, kernel
from wire.packets.layout import ACK, SYN, TCP

WELL_KNOWN = 1024  # ports below it


@inline
def source_is_server(packet):
    """1 if the sender of the first packet of a flow is its server."""
    if packet["protocol"] == TCP and packet["complete"] == 1:
        if packet["flags"] & SYN:
            return 1 if packet["flags"] & ACK else 0
        return 1 if packet["src_port"] < packet["dst_port"] else 0
    return 1 if 0 < packet["src_port"] < WELL_KNOWN <= packet["dst_port"] else 0


@inline
def is_guess(packet):
    """1 if the roles of a flow that begins with this packet are only guessed."""
    return 1 if packet["protocol"] == TCP and packet["flags"] & SYN == 0 else 0


@kernel
def correct_roles(state, flow, packet, role):
    """A guessed role that a SYN or SYN-ACK proves wrong is turned round. Returns the sender's role."""
    if role != (1 if packet["flags"] & ACK else 0):
        is_open = 1 if flow["phase"] == OPEN else 0
        registers = state.out.registers
        leave(state.conversation_index, state.conversations, registers, flow, is_open)
        flow["client_side"] ^= 1
        enter(state.conversation_index, state.conversations, registers, flow, is_open)
        turn_cells(state.out, flow)
        attach(state.arena, registers, state.conversations[flow["conversation"]], packet["time_ns"] // 1_000_000_000)
        role = 1 - role
    flow["role_guessed"] = 0
    return role
