"""Arenas: the rows and events of the open seconds. A packet adds to a row in place; what is rare becomes an event.

Two seconds are open at a time, by parity; a third arena takes rows of any other second (late packets, decisions in the
past). Rows are zeroed when they are taken. SHAPES of the arrays: (arena, row) and (arena, row, column).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cstor.buckets.columns import COLUMNS
from cstor.buckets.second import CONVERSATION
from cstor.flows.memory import reserve
from cstor.flows.registers import ARENAS, CLOCK, FILL, LATE, LIVE, MAX_ROWS, OTHER, ROW, ROWS, ROWS_FOLDED, SERIAL, SLOT
from wire.packets.jit import inline, kernel, part

# An event is a word: the code above, the row, and the value (of a counter, or nanoseconds) in 32 bits. In place of a
# value that does not fit stands LARGE, and the value is the next word.
CODE_SHIFT, ROW_SHIFT = 56, 32
ROW_MASK = (1 << CODE_SHIFT - ROW_SHIFT) - 1
LARGE = (1 << ROW_SHIFT) - 1
MAX_ROWS_OF_EVENTS = ROW_MASK + 1


class Arena(NamedTuple):
    """Rows and events of the open seconds."""

    dense: np.ndarray  # i8[ARENAS, rows, COLUMNS]
    keys: np.ndarray  # CONVERSATION[ARENAS, rows]
    second: np.ndarray  # i8[ARENAS, rows]
    events: np.ndarray  # i8[ARENAS, words]


def new_arena(rows: int, words: int) -> Arena:
    """Room for so many rows and words of events in each of the three."""
    return Arena(
        reserve(ARENAS * rows * COLUMNS, np.int64).reshape(ARENAS, rows, COLUMNS),
        reserve(ARENAS * rows, CONVERSATION).reshape(ARENAS, rows),
        reserve(ARENAS * rows, np.int64).reshape(ARENAS, rows),
        reserve(ARENAS * words, np.int64).reshape(ARENAS, words),
    )


@inline
def slot_of(registers, second):
    """The arena that takes rows of a second."""
    if second == registers[CLOCK] or second == registers[CLOCK] - 1:
        return second & 1
    return LATE


@inline
def bucket_of(registers, second):
    """The second in which something that happened then is counted: live, closed seconds stay closed."""
    if registers[LIVE] == 1 and second < registers[CLOCK] - 1:
        return registers[CLOCK] - 1
    return second


@part
def take_row(arena, registers, conversation, slot, second):
    """A new row for a conversation, or the arena's `other` row beyond the limit."""
    row = registers[ROWS + slot]
    is_other = slot != LATE and row >= registers[MAX_ROWS]
    if is_other:
        registers[ROWS_FOLDED] += 1
        if registers[OTHER + slot] >= 0:
            return registers[OTHER + slot]
        registers[OTHER + slot] = row
    registers[ROWS + slot] = row + 1
    arena.second[slot, row] = second
    for column in range(COLUMNS):
        arena.dense[slot, row, column] = 0
    key = arena.keys[slot, row]
    shown = 0 if is_other else 1
    key["client_hi"] = conversation["client_hi"] * shown
    key["client_lo"] = conversation["client_lo"] * shown
    key["server_hi"] = conversation["server_hi"] * shown
    key["server_lo"] = conversation["server_lo"] * shown
    key["server_port"] = conversation["server_port"] * shown
    key["protocol"] = conversation["protocol"] * shown
    key["vni"] = conversation["vni"] if shown else -1
    key["vlan"] = conversation["vlan"] if shown else -1
    key["is_copy"] = conversation["is_copy"] * shown
    key["is_other"] = 1 - shown
    return row


@part
def attach(arena, registers, conversation, second):
    """Point the cursor to the conversation's row of a second, taking a new one where it has none. Returns the arena."""
    slot = slot_of(registers, second)
    stale = conversation["row_serial"][slot] != registers[SERIAL + slot]
    if stale or (slot == LATE and conversation["late_second"] != second):
        conversation["row"][slot] = take_row(arena, registers, conversation, slot, second)
        conversation["row_serial"][slot] = registers[SERIAL + slot]
        if slot == LATE:
            conversation["late_second"] = second
    registers[SLOT] = slot
    registers[ROW] = conversation["row"][slot]
    return slot


@inline
def push(events, registers, code, value):
    """Add an event to the row under the cursor; the caller of the kernel made sure that there is room."""
    slot = registers[SLOT]
    registers[FILL + slot] = put_event(events[slot], registers[FILL + slot], code, registers[ROW], value)


@inline
def put_event(words, at, code, row, value):
    """Write an event from `at` on; returns where the next one goes."""
    if 0 <= value < LARGE:
        words[at] = code << CODE_SHIFT | row << ROW_SHIFT | value
        return at + 1
    words[at] = code << CODE_SHIFT | row << ROW_SHIFT | LARGE
    words[at + 1] = value
    return at + 2


@inline
def read_event(words, at):
    """Code, row and value of the event at `at`, and where the next one is."""
    word = words[at]
    value = word & LARGE
    at += 1
    if value == LARGE:
        value = words[at]
        at += 1
    return word >> CODE_SHIFT, word >> ROW_SHIFT & ROW_MASK, value, at


@kernel
def move_events(words, rows, to):
    """Copy the events of rows that have a number in `rows` (-1: none) into `to`, under it. Returns the fill of `to`."""
    at, used = 0, 0
    while at < len(words):
        code, row, value, at = read_event(words, at)
        if rows[row] >= 0:
            used = put_event(to, used, code, rows[row], value)
    return used
