"""All arrays of an analysis in one NamedTuple for the kernels, and how they grow between two kernel calls."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cstor.buckets.arena import Arena, grown, new_arena
from cstor.buckets.conversations import CONVERSATION_STATE
from cstor.flows.layout import FLOW, RAW_SESSION, SIDE
from cstor.flows.ledger import BIN_BLOCK, BINS_PER_BLOCK, CELL_BLOCK, MAX_BIN_BLOCKS
from cstor.flows.registers import (
    ARENAS,
    BIN_FREE,
    BIN_HIGH,
    CELL_FREE,
    CELL_HIGH,
    CONVERSATION_HIGH,
    CONVERSATIONS,
    FILL,
    FLOW_HIGH,
    FLOWS,
    ROWS,
    SESSIONS,
    new_registers,
)
from cstor.flows.table import copy_entries, new_index

EVENTS_PER_PACKET = 32  # no packet reports more than this, verdicts and samples together
BLOCKS_PER_PACKET = 2  # on average over a batch; what exceeds it is dropped from sessions and counted


BLOCK = 128  # packets whose flows are touched before they are analysed
_LINE = 64  # bytes of a cache line


class Out(NamedTuple):
    """What reporting kernels need."""

    registers: np.ndarray  # i8, see registers.py
    events: np.ndarray  # EVENT[ARENAS, n], the arena's
    cells: np.ndarray  # CELL_BLOCK
    bins: np.ndarray  # BIN_BLOCK
    scratch: np.ndarray  # i8[2, n], work space for the bins of one timing


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
    sessions: np.ndarray  # RAW_SESSION
    tags: np.ndarray  # i8, hashes of the packets of one block


def new_state(seed: int, max_rows: int, live: bool, room: int = 8192) -> State:
    """An analysis that has seen nothing, with room for so many flows."""
    arena = new_arena(room, room)
    out = Out(
        new_registers(seed, max_rows, live),
        arena.events,
        np.zeros(room, CELL_BLOCK),
        np.zeros(room, BIN_BLOCK),
        np.zeros((2, BINS_PER_BLOCK * MAX_BIN_BLOCKS), np.int64),
    )
    return State(
        new_index(4 * room),
        aligned_zeros(room, FLOW),
        aligned_zeros(2 * room, SIDE),
        np.zeros(room, np.int64),
        new_index(4 * room),
        np.zeros(room, CONVERSATION_STATE),
        arena,
        out,
        np.zeros(room, RAW_SESSION),
        np.zeros(BLOCK, np.int64),
    )


def with_room(state: State, packets: int) -> State:
    """The same state with room for whatever so many packets (or timers) may bring."""
    registers = state.out.registers
    state = _flow_room(state, int(registers[FLOW_HIGH]) + packets, int(registers[FLOWS]) + packets)
    state = _conversation_room(
        state, int(registers[CONVERSATION_HIGH]) + packets, int(registers[CONVERSATIONS]) + packets
    )
    rows = int(registers[ROWS : ROWS + ARENAS].max()) + 2 * packets
    events = int(registers[FILL : FILL + ARENAS].max()) + EVENTS_PER_PACKET * packets
    arena = state.arena
    if rows > arena.second.shape[1] or events > arena.events.shape[1]:
        arena = grown(arena, _size(arena.second.shape[1], rows), _size(arena.events.shape[1], events))
    out = Out(registers, arena.events, *_pools(state.out, packets), state.out.scratch)
    sessions = state.sessions
    if int(registers[SESSIONS]) + packets > len(sessions):
        sessions = _longer(sessions, _size(len(sessions), int(registers[SESSIONS]) + packets))
    return state._replace(arena=arena, out=out, sessions=sessions)


def _pools(out: Out, packets: int) -> tuple[np.ndarray, np.ndarray]:
    """The two pools of blocks; free lists are not counted, so this may grow a little early."""
    pools = []
    for pool, high, free in ((out.cells, CELL_HIGH, CELL_FREE), (out.bins, BIN_HIGH, BIN_FREE)):
        wanted = int(out.registers[high]) + BLOCKS_PER_PACKET * packets
        if wanted > len(pool) and out.registers[free] < 0:
            pool = _longer(pool, _size(len(pool), wanted))
        pools.append(pool)
    return pools[0], pools[1]


def _flow_room(state: State, high: int, used: int) -> State:
    if high > len(state.flows) and used > len(state.flows):
        size = _size(len(state.flows), used)
        state = state._replace(
            flows=_longer(state.flows, size),
            sides=_longer(state.sides, 2 * size),
            deadlines=_longer(state.deadlines, size),
        )
    return state._replace(index=_sparse(state.index, used))


def _conversation_room(state: State, high: int, used: int) -> State:
    if high > len(state.conversations) and used > len(state.conversations):
        state = state._replace(conversations=_longer(state.conversations, _size(len(state.conversations), used)))
    return state._replace(conversation_index=_sparse(state.conversation_index, used))


def _sparse(index: np.ndarray, used: int) -> np.ndarray:
    """The index, at most half full."""
    if 2 * used <= len(index):
        return index
    larger = new_index(_size(len(index), 2 * used))
    copy_entries(index, larger)
    return larger


def _size(now: int, wanted: int) -> int:
    while now < wanted:
        now *= 2
    return now


def aligned_zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that begin at a cache line, so that the first fields of a row share one."""
    raw = np.zeros(size * dtype.itemsize + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + size * dtype.itemsize].view(dtype)


def _longer(array: np.ndarray, size: int) -> np.ndarray:
    longer = aligned_zeros(size, array.dtype)
    longer[: len(array)] = array
    return longer
