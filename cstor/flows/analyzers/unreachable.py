"""ICMP errors that quote a SYN: the verdict `unreachable` on the attempt (RFC 792, RFC 4443).

"Fragmentation needed" and "packet too big" are no verdict: the sender tries again with less.
"""

from __future__ import annotations

from cstor.buckets.arena import attach
from cstor.buckets.columns import UNREACHABLE, outcome_number
from cstor.flows.analyzers.connections import SYN_SENT, fail
from cstor.flows.hashing import flow_hash
from cstor.flows.registers import ROW, SEED, SLOT
from cstor.flows.table import find_flow
from wire.packets.jit import inline, kernel
from wire.packets.layout import ICMP, ICMPV6, TCP

IS_UNREACHABLE = outcome_number("unreachable")


@inline
def is_final(packet):
    """Destination unreachable, time exceeded, parameter problem."""
    kind = packet["icmp_type"]
    if packet["protocol"] == ICMP:
        return (kind == 3 and packet["icmp_code"] != 4) or kind == 11 or kind == 12
    return packet["protocol"] == ICMPV6 and (kind == 1 or kind == 3 or kind == 4)


@kernel
def follow_quotation(state, packet):
    """Find the attempt whose SYN is quoted, and decide it."""
    if packet["quoted_protocol"] != TCP or not is_final(packet):
        return
    registers = state.out.registers
    src_hi, src_lo, src_port = packet["quoted_src_hi"], packet["quoted_src_lo"], packet["quoted_src_port"]
    dst_hi, dst_lo, dst_port = packet["quoted_dst_hi"], packet["quoted_dst_lo"], packet["quoted_dst_port"]
    tag = flow_hash(registers[SEED], src_hi, src_lo, dst_hi, dst_lo, src_port, dst_port, TCP)
    number = find_flow(
        state.index, state.flows, tag, src_hi, src_lo, dst_hi, dst_lo, src_port, dst_port, TCP, packet["vni"]
    )
    if number < 0 or state.flows[number]["phase"] != SYN_SENT:
        return
    flow = state.flows[number]
    if state.sides[2 * number + flow["client_side"]]["isn"] != packet["quoted_seq"]:
        return
    slot, row = registers[SLOT], registers[ROW]
    conversation = state.conversations[flow["conversation"]]
    attach(state.arena, registers, conversation, packet["time_ns"] // 1_000_000_000)
    fail(state, number, flow, packet["time_ns"], UNREACHABLE, IS_UNREACHABLE)
    registers[SLOT], registers[ROW] = slot, row
