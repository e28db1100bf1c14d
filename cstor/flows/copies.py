"""Both ends mirrored: the same 5-tuple under a second VNI is a copy of the flow that was there first, its primary.

When the primary has been silent for five seconds while a copy speaks, the copy becomes primary. Looked at once per
flow and second, so that a packet of a copy costs no second cache miss.
"""

from __future__ import annotations

from cstor.buckets.conversations import enter, leave
from cstor.flows.analyzers.connections import OPEN
from cstor.flows.registers import COPY_SWITCHES
from cstor.flows.table import find_sibling
from wire.packets.jit import kernel

SILENT_NS = 5_000_000_000


@kernel
def mark_copy(state, number):
    """A new flow: is it a copy? Returns nothing of interest; sets `is_copy` and `is_shared`."""
    sibling = find_sibling(state.index, state.flows, number, 0)
    if sibling >= 0:
        state.flows[sibling]["is_shared"] = 1
        state.flows[number]["is_shared"] = 1
        primary = find_sibling(state.index, state.flows, number, 1)
        state.flows[number]["is_copy"] = 1 if primary >= 0 else 0


@kernel
def review_copy(state, number, now):
    """A copy speaks: if its primary is gone or silent, they change places."""
    flow = state.flows[number]
    if flow["is_copy"] == 1:
        primary = find_sibling(state.index, state.flows, number, 1)
        if primary < 0:
            move(state, number, 0)
        elif state.flows[primary]["last_ns"] + SILENT_NS < now:
            move(state, primary, 1)
            move(state, number, 0)
            state.out.registers[COPY_SWITCHES] += 1


@kernel
def move(state, number, is_copy):
    """Put a flow into the conversation of its new kind."""
    flow = state.flows[number]
    is_open = 1 if flow["phase"] == OPEN and flow["is_dormant"] == 0 else 0
    leave(state.conversation_index, state.conversations, state.out.registers, flow, is_open)
    flow["is_copy"] = is_copy
    enter(state.conversation_index, state.conversations, state.out.registers, flow, is_open)
