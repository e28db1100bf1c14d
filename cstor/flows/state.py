"""All arrays of an analysis in one NamedTuple for the kernels: tables at their largest size, and two indexes that
grow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cstor.buckets.arena import Arena, new_arena
from cstor.buckets.conversations import CONVERSATION_STATE
from cstor.flows.analyzers.rtt import RING_ENTRIES
from cstor.flows.layout import FLOW, SIDE
from cstor.flows.ledger import BIN_BLOCK, CELL_BLOCK, SAMPLE_BLOCK, SCRATCH
from cstor.flows.memory import reserve
from cstor.flows.registers import CONVERSATIONS, FLOWS, new_registers
from cstor.flows.sessions import Ended, new_ended
from cstor.flows.table import copy_entries, new_index

CHUNK = 4096  # packets or timers per kernel call
BLOCK = 128  # packets whose flows are touched before they are analysed
LATE_ROWS = 65_536  # rows of late packets that are held back before they are handed out
EVENTS = 4_000_000  # words of events per open second; a second with more is handed out in parts
EVENTS_PER_PACKET = 64  # words: no packet and no timer reports more than this
ROWS_PER_PACKET = 2
CELL_BLOCKS_PER_FLOW, SAMPLE_BLOCKS_PER_FLOW, BIN_BLOCKS_PER_FLOW = (
    2,
    8,
    8,
)  # on average; what exceeds it is left out of sessions, and counted


class Out(NamedTuple):
    """What reporting kernels need."""

    registers: np.ndarray  # i8, see registers.py
    events: np.ndarray  # i8[ARENAS, n], the arena's
    cells: np.ndarray  # CELL_BLOCK
    samples: np.ndarray  # SAMPLE_BLOCK
    bins: np.ndarray  # BIN_BLOCK
    rings: np.ndarray  # i8[n, 2], pending segments: end, time
    scratch: np.ndarray  # i8, see ledger.SCRATCH


class State(NamedTuple):
    """Everything that is known about flows, conversations and the open seconds."""

    index: np.ndarray  # i4[2^k, 2]
    flows: np.ndarray  # FLOW
    sides: np.ndarray  # SIDE, two per flow
    deadlines: np.ndarray  # i8, ns: when a timer has to look at the flow, at the earliest
    conversation_index: np.ndarray  # i4[2^k, 2]
    conversations: np.ndarray  # CONVERSATION_STATE
    arena: Arena
    out: Out
    ended: Ended  # flows whose sessions are over
    tags: np.ndarray  # i8, hashes of the packets of one block
    found: np.ndarray  # i8, numbers of their sides (2 x flow + side), -1 none yet


def new_state(seed: int, max_flows: int, max_rows: int, live: bool) -> State:
    """An analysis that has seen nothing."""
    rows = max(max_rows, LATE_ROWS) + 2 * ROWS_PER_PACKET * CHUNK
    arena = new_arena(rows, EVENTS + 2 * EVENTS_PER_PACKET * CHUNK)
    out = Out(
        new_registers(seed, max_rows, live),
        arena.events,
        reserve(CELL_BLOCKS_PER_FLOW * max_flows, CELL_BLOCK),
        reserve(SAMPLE_BLOCKS_PER_FLOW * max_flows, SAMPLE_BLOCK),
        reserve(BIN_BLOCKS_PER_FLOW * max_flows, BIN_BLOCK),
        reserve(2 * max_flows * RING_ENTRIES * 2, np.int64).reshape(-1, 2),
        np.zeros(SCRATCH, np.int64),
    )
    return State(
        new_index(4 * CHUNK),
        reserve(max_flows, FLOW),
        reserve(2 * max_flows, SIDE),
        reserve(max_flows, np.int64),
        new_index(4 * CHUNK),
        reserve(max_flows, CONVERSATION_STATE),
        arena,
        out,
        new_ended(2 * CHUNK),
        np.zeros(BLOCK, np.int64),
        np.zeros(BLOCK, np.int64),
    )


def with_room(state: State, flows: int) -> State:
    """The same state with indexes that stay at most half full when so many flows are added."""
    registers = state.out.registers
    index = _sparse(state.index, int(registers[FLOWS]) + flows)
    conversation_index = _sparse(state.conversation_index, int(registers[CONVERSATIONS]) + flows)
    if index is state.index and conversation_index is state.conversation_index:
        return state
    return state._replace(index=index, conversation_index=conversation_index)


def _sparse(index: np.ndarray, used: int) -> np.ndarray:
    size = len(index)
    while size < 2 * used:
        size *= 2
    if size == len(index):
        return index
    larger = new_index(size)
    copy_entries(index, larger)
    return larger
