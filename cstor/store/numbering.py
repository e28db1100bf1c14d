"""Equal rows of integer matrices get one number, counting up over many matrices: keys of conversations and of groups.

Open addressing with linear probing; rows stand in a pool in the order of their numbers. Readers may use a pool's first
rows while more are added: rows never change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cstor.flows.hashing import mix
from wire.packets.jit import kernel

Ints = NDArray[np.int64]
Numbers = NDArray[np.int32]

_FIRST_ROOM = 1024


class Numbering:
    """Numbers rows of one width. One thread adds at a time."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self._rows = np.zeros((_FIRST_ROOM, width), np.int64)
        self._slots = np.full(4 * _FIRST_ROOM, -1, np.int32)

    @property
    def rows(self) -> Ints:
        """Row number i is the matrix row that has the number i."""
        return self._rows[: self.count]

    @property
    def bytes(self) -> int:
        return int(self._rows.nbytes + self._slots.nbytes)

    def add(self, matrix: Ints) -> Numbers:
        """The number of each row, new ones for those never seen."""
        out = np.empty(len(matrix), np.int32)
        self._make_room(len(matrix))
        self.count = number_rows(np.ascontiguousarray(matrix), self._rows, self._slots, out, self.count, True)
        return out

    def find(self, matrix: Ints) -> Numbers:
        """The number of each row, -1 for those never seen."""
        out = np.empty(len(matrix), np.int32)
        number_rows(np.ascontiguousarray(matrix), self._rows, self._slots, out, self.count, False)
        return out

    def _make_room(self, more: int) -> None:
        wanted = self.count + more
        if wanted > len(self._rows):
            rows = np.zeros((max(wanted, 2 * len(self._rows)), self._rows.shape[1]), np.int64)
            rows[: self.count] = self._rows[: self.count]
            self._rows = rows
        if 2 * wanted > len(self._slots):
            slots = np.full(1 << (4 * wanted - 1).bit_length(), -1, np.int32)
            enter_rows(self._rows, slots, self.count)
            self._slots = slots


@kernel
def number_rows(matrix, pool, slots, out, count, add):
    """Fill in the number of each row of the matrix; returns how many rows have one now."""
    mask = len(slots) - 1
    for row in range(len(matrix)):
        slot = slot_of(matrix, row, mask)
        while slots[slot] >= 0 and not same_row(matrix, row, pool, slots[slot]):
            slot = (slot + 1) & mask
        out[row] = slots[slot]
        if slots[slot] < 0 and add:
            slots[slot] = count
            out[row] = count
            for column in range(matrix.shape[1]):
                pool[count, column] = matrix[row, column]
            count += 1
    return count


@kernel
def enter_rows(pool, slots, count):
    """Enter all rows of the pool into empty slots."""
    mask = len(slots) - 1
    for row in range(count):
        slot = slot_of(pool, row, mask)
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = row


@kernel
def slot_of(matrix, row, mask):
    """Where the search for a row begins."""
    state = np.int64(1)
    for column in range(matrix.shape[1]):
        value = matrix[row, column]
        state = mix(state, (value >> 32) & 0xFFFFFFFF)
        state = mix(state, value & 0xFFFFFFFF)
    return state & mask


@kernel
def same_row(matrix, row, pool, number):
    """Whether a row of the matrix is row `number` of the pool."""
    is_same = True
    for column in range(matrix.shape[1]):
        is_same &= matrix[row, column] == pool[number, column]
    return is_same
