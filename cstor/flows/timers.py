"""Timers: verdicts that silence brings, sessions that are over, rows that can go. They run on the analysis' clock.

Each flow has one deadline, the earliest time at which a timer may have to look; packets do not move it. When it is
reached the true time is worked out from the state, and either something is decided or the deadline is moved.
"""

from __future__ import annotations

from cstor.buckets.columns import TIMED_OUT, outcome_number
from cstor.buckets.conversations import CONVERSATION_BYTES
from cstor.flows.analyzers.connections import (
    ACTIVE,
    FAILED,
    HALF_OPEN_NS,
    LINGER_NS,
    NOT_TCP,
    OPEN,
    SILENT_NS,
    SYN_ACKED,
    SYN_SENT,
    UNANSWERED_NS,
    end_connection,
)
from cstor.flows.layout import CACHE_LINE, FLOW_BYTES, SIDE_BYTES
from cstor.flows.ledger import BLOCK_BYTES
from cstor.flows.lifecycle import IDLE_NS, decide, hand_over, point_to, remove
from cstor.flows.registers import EVICTED
from cstor.flows.state import BLOCK
from cstor.flows.table import ENTRY_BYTES
from wire.packets.jit import kernel, prefetch

IS_TIMED_OUT = outcome_number("timed_out")
IS_EVICTED = outcome_number("evicted")
DORMANT_NS = 3_600_000_000_000


@kernel
def due_ns(flow):
    """When the next decision about a flow is due if no packet comes."""
    if flow["is_dormant"] == 1:
        return flow["last_ns"] + (IDLE_NS if flow["phase"] == FAILED else DORMANT_NS)
    if flow["phase"] == SYN_SENT:
        return flow["step_ns"] + max(UNANSWERED_NS, flow["syn_gap_ns"] * 5 // 2)
    if flow["phase"] == SYN_ACKED:
        return flow["step_ns"] + HALF_OPEN_NS
    if flow["phase"] == OPEN:
        return flow["last_ns"] + SILENT_NS
    if flow["phase"] == NOT_TCP:
        return flow["last_ns"] + IDLE_NS
    return flow["last_ns"] + LINGER_NS


@kernel
def ask_for_ended(state, numbers, start, end):
    """Ask for the cache lines of flows that are about to be handed over: see analyze.resolve."""
    for at in range(start, end):
        number = numbers[at]
        for line in range(0, FLOW_BYTES, CACHE_LINE):
            prefetch(state.flows, number * FLOW_BYTES + line)
        for line in range(0, 2 * SIDE_BYTES, CACHE_LINE):
            prefetch(state.sides, 2 * number * SIDE_BYTES + line)
    for at in range(start, end):
        flow = state.flows[numbers[at]]
        place = flow["conversation"] * CONVERSATION_BYTES
        prefetch(state.conversations, place)
        prefetch(state.conversations, place + CACHE_LINE)
        prefetch(state.index, (flow["tag"] & (len(state.index) - 1)) * ENTRY_BYTES)
        if flow["cells"] >= 0:
            prefetch(state.out.cells, flow["cells"] * BLOCK_BYTES)
        if flow["samples"] >= 0:
            prefetch(state.out.samples, flow["samples"] * BLOCK_BYTES)
    for at in range(start, end):
        head = state.flows[numbers[at]]["samples"]
        if head >= 0 and state.out.samples[head]["next"] >= 0:
            prefetch(state.out.samples, state.out.samples[head]["next"] * BLOCK_BYTES)


@kernel
def expire(state, numbers, now):
    """Look at flows whose deadline is reached; there is room for what they report."""
    for at in range(len(numbers)):
        if at & (BLOCK - 1) == 0:
            ask_for_ended(state, numbers, at, min(at + BLOCK, len(numbers)))
        number = numbers[at]
        flow = state.flows[number]
        due = due_ns(flow)
        if due > now:
            state.deadlines[number] = due
        elif flow["is_dormant"] == 1:
            remove(state, number)
        elif flow["phase"] == SYN_SENT or flow["phase"] == SYN_ACKED:
            point_to(state, flow, due)
            decide(state, number, due)
        else:
            if flow["phase"] == OPEN:
                point_to(state, flow, due)
                end_connection(state, number, flow, due, TIMED_OUT, IS_TIMED_OUT)
            hand_over(state, number, ACTIVE)
            if flow["phase"] == NOT_TCP:
                remove(state, number)
            else:
                state.deadlines[number] = due_ns(flow)


@kernel
def evict(state, numbers):
    """Make room: hand over what these flows have and remove them."""
    for at in range(len(numbers)):
        if at & (BLOCK - 1) == 0:
            ask_for_ended(state, numbers, at, min(at + BLOCK, len(numbers)))
        number = numbers[at]
        flow = state.flows[number]
        if flow["is_dormant"] == 0:
            point_to(state, flow, flow["last_ns"])
            hand_over(state, number, IS_EVICTED)
            state.out.registers[EVICTED] += 1
        remove(state, number)


@kernel
def end_all(state, numbers):
    """The end of a file: timers stop, what is undecided stays active."""
    for at in range(len(numbers)):
        if at & (BLOCK - 1) == 0:
            ask_for_ended(state, numbers, at, min(at + BLOCK, len(numbers)))
        number = numbers[at]
        flow = state.flows[number]
        if flow["is_dormant"] == 0:
            if flow["phase"] == OPEN:
                point_to(state, flow, flow["last_ns"])
            hand_over(state, number, ACTIVE)
        remove(state, number)
