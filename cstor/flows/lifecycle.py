"""The life of a flow's row: opened by a first packet, begun anew by a SYN with another ISN, handed over, removed.

A TCP flow whose session was handed over stays as a dormant row, so that late packets are still judged by its TCP
state; it goes when its time has come or the table needs room.
"""

from __future__ import annotations

from cstor.buckets.arena import attach, bucket_of
from cstor.buckets.columns import HALF_OPEN, MANY, MISSING_SYN, UNANSWERED, outcome_number
from cstor.buckets.conversations import enter, leave
from cstor.flows.analyzers.connections import (
    ACTIVE,
    ENDED,
    FAILED,
    NEW,
    NO_OUTCOME,
    NOT_TCP,
    OPEN,
    SUPERSEDED,
    SYN_ACKED,
    SYN_SENT,
    conclude,
    fail,
    set_open,
)
from cstor.flows.analyzers.loss import NO_SYN
from cstor.flows.analyzers.rtt import SMALL_RING, drop_ring
from cstor.flows.analyzers.turns import IDLE
from cstor.flows.copies import mark_copy
from cstor.flows.ledger import TALLIES, count, free_chain
from cstor.flows.registers import BIN_FREE, CELL_FREE, FLOW_FREE, FLOW_HIGH, FLOWS, FLOWS_OPENED, NEVER, SAMPLE_FREE
from cstor.flows.roles import is_guess, source_is_server
from cstor.flows.seq import UNKNOWN
from cstor.flows.sessions import set_aside
from cstor.flows.table import insert_entry, remove_entry
from wire.packets.jit import inline, kernel, part
from wire.packets.layout import TCP

IS_UNANSWERED = outcome_number("unanswered")
IS_HALF_OPEN = outcome_number("half_open")
IDLE_NS = 60_000_000_000  # a flow that is not TCP ends after so much silence
NO_DEADLINE = (1 << 63) - 1  # no clock gets there: 2**62 is a time that a broken stamp may have


@part
def open_flow(state, packet, tag):
    """A row for the first packet of a flow; there is room."""
    registers = state.out.registers
    number = registers[FLOW_FREE]
    if number >= 0:
        registers[FLOW_FREE] = state.flows[number]["tag"]
    else:
        number = registers[FLOW_HIGH]
        registers[FLOW_HIGH] += 1
    registers[FLOWS] += 1
    registers[FLOWS_OPENED] += 1
    flow = state.flows[number]
    flow["a_hi"], flow["a_lo"], flow["a_port"] = packet["src_hi"], packet["src_lo"], packet["src_port"]
    flow["b_hi"], flow["b_lo"], flow["b_port"] = packet["dst_hi"], packet["dst_lo"], packet["dst_port"]
    flow["vni"], flow["vlan"], flow["protocol"] = packet["vni"], packet["vlan"], packet["protocol"]
    flow["tag"] = tag
    flow["used"] = 1
    flow["is_shared"], flow["is_copy"] = 0, 0
    flow["client_side"] = source_is_server(packet)
    insert_entry(state.index, tag, number)
    mark_copy(state, number)
    enter(state.conversation_index, state.conversations, registers, flow, 0)
    begin(state, number, packet)
    return number


@part
def begin(state, number, packet):
    """Nothing is known of the connection: a new flow, or a new ISN on an old one."""
    flow = state.flows[number]
    flow["role_guessed"] = is_guess(packet)
    is_tcp = packet["protocol"] == TCP
    flow["phase"] = NEW if is_tcp else NOT_TCP
    flow["outcome"] = ACTIVE if is_tcp else NO_OUTCOME
    flow["irtt_known"] = NO_SYN
    for side in range(2):
        begin_side(state.sides[2 * number + side])
    begin_accounts(state, number, packet["time_ns"])
    state.deadlines[number] = packet["time_ns"] + IDLE_NS


@part
def begin_side(side):
    """One side of a new connection."""
    side["next"], side["next_ns"], side["contig"] = UNKNOWN, UNKNOWN, UNKNOWN
    side["ack"], side["seen_ns"], side["window"] = UNKNOWN, UNKNOWN, 0
    side["scale"], side["isn"], side["reach"] = UNKNOWN, UNKNOWN, UNKNOWN
    side["last"], side["fresh"], side["dup"], side["holed"] = 0, 0, 0, 0
    side["ring_used"], side["ring_mask"] = 0, SMALL_RING - 1


@part
def begin_accounts(state, number, now):
    """What a session shows, at its beginning."""
    flow = state.flows[number]
    flow["start_ns"], flow["last_ns"], flow["late_second"] = now, now, NEVER
    flow["is_dormant"] = 0
    flow["fin_sides"], flow["turn"], flow["turn_valid"], flow["awaiting"] = 0, IDLE, 0, 0
    flow["response_end_ns"] = UNKNOWN
    flow["syn_count"], flow["syn_ack_count"], flow["syn_gap_ns"], flow["measured"] = 0, 0, 0, 0
    flow["letters"], flow["history_length"] = 0, 0
    flow["burst_ms"], flow["burst_sum"], flow["burst_max"] = UNKNOWN, 0, 0
    flow["flow_seconds"], flow["active_seconds"] = 0, 0
    flow["cells"], flow["samples"], flow["samples_used"] = -1, -1, 0
    for timing in range(MANY):
        flow["timings"][timing] = -1
    for tally in range(len(TALLIES)):
        flow["tallies"][tally] = 0
    flow["row_serial"][0], flow["row_serial"][1] = 0, 0
    for number_of_side in range(2 * number, 2 * number + 2):
        side = state.sides[number_of_side]
        side["packets"], side["bytes"], side["payload_bytes"], side["data_packets"] = 0, 0, 0, 0
        side["max_packet"], side["truncated"] = 0, 0
        side["closed_ns"], side["min_window"] = UNKNOWN, UNKNOWN


@kernel
def point_to(state, flow, time_ns):
    """Set the cursor to the flow's row of the second in which something happened."""
    second = bucket_of(state.out.registers, time_ns // 1_000_000_000)
    attach(state.arena, state.out.registers, state.conversations[flow["conversation"]], second)


@kernel
def hand_over(state, number, outcome):
    """The session of a flow as it stands, with this outcome if it has none yet; its row goes dormant."""
    flow = state.flows[number]
    if flow["phase"] == OPEN:
        conclude(state, number, flow)
        state.conversations[flow["conversation"]]["open"] -= 1
        flow["phase"] = ENDED
    if flow["outcome"] == ACTIVE:
        flow["outcome"] = outcome
    set_aside(state, number)
    free_chain(state.out.cells, state.out.registers, CELL_FREE, flow["cells"])
    free_chain(state.out.samples, state.out.registers, SAMPLE_FREE, flow["samples"])
    flow["cells"], flow["samples"], flow["samples_used"] = -1, -1, 0
    for timing in range(MANY):
        free_chain(state.out.bins, state.out.registers, BIN_FREE, flow["timings"][timing])
        flow["timings"][timing] = -1
    flow["is_dormant"] = 1


@kernel
def decide(state, number, now):
    """The verdict of a timer, or of a new attempt, on what is still undecided."""
    flow = state.flows[number]
    if flow["phase"] == SYN_SENT:
        fail(state, number, flow, now, UNANSWERED, IS_UNANSWERED)
    elif flow["phase"] == SYN_ACKED:
        fail(state, number, flow, now, HALF_OPEN, IS_HALF_OPEN)


@kernel
def restart(state, number, packet, side):
    """Another ISN on the same 5-tuple: the old connection is over, its sender is the client of a new one."""
    flow = state.flows[number]
    if flow["is_dormant"] == 0:
        point_to(state, flow, packet["time_ns"])
        decide(state, number, packet["time_ns"])
        hand_over(state, number, SUPERSEDED)
    if flow["client_side"] != side:
        leave(state.conversation_index, state.conversations, state.out.registers, flow, 0)
        flow["client_side"] = side
        enter(state.conversation_index, state.conversations, state.out.registers, flow, 0)
    drop_rings(state, number)
    begin(state, number, packet)


@inline
def drop_rings(state, number):
    """Nothing of this connection will be acknowledged any more."""
    drop_ring(state.out, state.sides[2 * number])
    drop_ring(state.out, state.sides[2 * number + 1])


@kernel
def revive(state, number, packet):
    """A packet for a dormant row: a session of its own, judged by the old TCP state."""
    flow = state.flows[number]
    phase = flow["phase"]
    begin_accounts(state, number, packet["time_ns"])
    if phase == FAILED:
        state.deadlines[number] = packet["time_ns"] + IDLE_NS
        return
    flow["outcome"] = ACTIVE
    point_to(state, flow, packet["time_ns"])
    count(state.out, flow, MISSING_SYN, 1)
    set_open(state, number, flow, packet["time_ns"])


@kernel
def remove(state, number):
    """Give the row back."""
    flow = state.flows[number]
    registers = state.out.registers
    leave(state.conversation_index, state.conversations, registers, flow, 0)
    drop_rings(state, number)
    remove_entry(state.index, flow["tag"], number)
    flow["used"] = 0
    flow["tag"] = registers[FLOW_FREE]
    registers[FLOW_FREE] = number
    registers[FLOWS] -= 1
    state.deadlines[number] = NO_DEADLINE
