"""Kernels that encode columns for Parquet: DELTA_BINARY_PACKED integers, and the hybrid of runs and packed bits.

After https://github.com/apache/parquet-format/blob/master/Encodings.md. Integers are stored as packed differences:
small without a general compressor behind it, though larger than DuckDB's writer makes them with one.
"""

from __future__ import annotations

import numpy as np

from wire.packets.bigendian import put_le32
from wire.packets.jit import inline, kernel

BLOCK, MINIBLOCK = 128, 32
MINIBLOCKS = BLOCK // MINIBLOCK
WORD = 0xFFFFFFFF
LEAST_RUN = 8  # equal values from which on a run is shorter than packed bits


def delta_room(count: int) -> int:
    """Bytes that `put_delta` may need."""
    return 64 + (count // BLOCK + 1) * (10 + MINIBLOCKS + 8 * BLOCK)


def hybrid_room(count: int, width: int) -> int:
    """Bytes that `put_hybrid` and `put_levels` may need."""
    return 64 + (count // 8 + 1) * (width + 2 + (width + 7) // 8)


@kernel
def put_varint(out, at, value):
    """An unsigned number of 64 bits, seven at a time, the lowest first."""
    while value & ~0x7F:
        out[at] = (value & 0x7F) | 0x80
        value = (value >> 7) & 0x01FFFFFFFFFFFFFF
        at += 1
    out[at] = value
    return at + 1


@inline
def zigzag(value):
    return (value << 1) ^ (value >> 63)


@kernel
def put_delta(values, scratch, out, at):
    """Integers as DELTA_BINARY_PACKED; `scratch` has room for BLOCK numbers. Returns where the bytes end."""
    count = len(values)
    at = put_varint(out, at, np.int64(BLOCK))
    at = put_varint(out, at, np.int64(MINIBLOCKS))
    at = put_varint(out, at, np.int64(count))
    at = put_varint(out, at, zigzag(values[0] if count else np.int64(0)))
    done = 1
    while done < count:
        here = min(BLOCK, count - done)
        least = values[done] - values[done - 1]
        for number in range(here):
            scratch[number] = values[done + number] - values[done + number - 1]
            least = min(least, scratch[number])
        for number in range(BLOCK):
            scratch[number] = scratch[number] - least if number < here else 0
        at = put_varint(out, at, zigzag(least))
        at = put_miniblocks(scratch, here, out, at)
        done += here
    return at


@kernel
def put_miniblocks(scratch, here, out, at):
    """The widths of a block's miniblocks, then each of them packed; behind the last value none is written."""
    widths = at
    at += MINIBLOCKS
    for mini in range(MINIBLOCKS):
        first = mini * MINIBLOCK
        bits = np.int64(0)
        for number in range(first, first + MINIBLOCK):
            bits |= scratch[number]
        width = bit_length(bits)
        out[widths + mini] = width
        if first < here:
            at = put_packed(scratch, first, MINIBLOCK, width, out, at)
    return at


@kernel
def bit_length(bits):
    """Bits of a number without its sign: a negative one has all 64."""
    if bits < 0:
        return 64
    width = 0
    while bits > 0:
        bits >>= 1
        width += 1
    return width


@kernel
def put_packed(values, first, count, width, out, at):
    """Numbers of `width` bits one after the other, the lowest bits first; `count` is a multiple of 8."""
    if width == 0:
        return at
    bits, filled = np.int64(0), 0
    for number in range(first, first + count):
        value = values[number]
        low = min(width, 32)
        bits |= (value & WORD) << filled
        filled += low
        if filled >= 32:
            put_le32(out, at, bits & WORD)
            at += 4
            filled -= 32
            bits = (value & WORD) >> (low - filled)
        if width > 32:
            bits |= ((value >> 32) & WORD) << filled
            filled += width - 32
            if filled >= 32:
                put_le32(out, at, bits & WORD)
                at += 4
                filled -= 32
                bits = ((value >> 32) & WORD) >> (width - 32 - filled)
    while filled > 0:
        out[at] = bits & 0xFF
        bits >>= 8
        filled -= 8
        at += 1
    return at


@kernel
def put_hybrid(values, width, scratch, out, at):
    """Small numbers as runs where eight or more are equal, packed otherwise; `scratch` has room for eight."""
    begin = here = 0
    while here < len(values):
        until = here + 1
        while until < len(values) and values[until] == values[here]:
            until += 1
        # What stands before a run is packed in groups of eight: the run lends what the last group lacks.
        lent = (begin - here) & 7
        if until - here - lent >= LEAST_RUN:
            here += lent
            at = put_groups(values, begin, here, width, scratch, out, at)
            at = put_varint(out, at, np.int64(until - here) << 1)
            for byte in range((width + 7) // 8):
                out[at + byte] = (values[here] >> (8 * byte)) & 0xFF
            at += (width + 7) // 8
            begin = until
        here = until
    return put_groups(values, begin, len(values), width, scratch, out, at)


@kernel
def put_groups(values, begin, end, width, scratch, out, at):
    """Numbers packed in groups of eight; the last group is filled up with zeros."""
    if begin == end:
        return at
    groups = (end - begin + 7) // 8
    at = put_varint(out, at, np.int64(groups << 1 | 1))
    whole = (end - begin) // 8
    for group in range(whole):
        at = put_packed(values, begin + 8 * group, 8, width, out, at)
    if whole < groups:
        for number in range(8):
            index = begin + 8 * whole + number
            scratch[number] = values[index] if index < end else 0
        at = put_packed(scratch, 0, 8, width, out, at)
    return at


@kernel
def put_levels(where, count, out, at):
    """Which of `count` rows have a value (`where`, ascending), as definition levels with their length before them."""
    start = at
    at += 4
    row, index = 0, 0
    while row < count:
        if index < len(where) and where[index] == row:
            until = row
            while index < len(where) and where[index] == until:
                until += 1
                index += 1
            level = 1
        else:
            until = np.int64(where[index]) if index < len(where) else count
            level = 0
        if until - row >= LEAST_RUN or until == count:
            at = put_varint(out, at, np.int64(until - row) << 1)
            out[at] = level
            at += 1
            row = until
            continue
        # Short runs: whole bytes until the next long one.
        index -= level * (until - row)
        row, index, at = put_mixed(where, count, row, index, out, at)
    put_le32(out, start, at - start - 4)
    return at


@kernel
def put_mixed(where, count, row, index, out, at):
    """Levels as bits from `row` on, up to the first whole byte after which all eight rows are alike."""
    head = at
    at += 2
    groups = 0
    while row < count and groups < 63 * 128:
        byte, before = 0, index
        while index < len(where) and where[index] < row + 8:
            byte |= 1 << (where[index] - row)
            index += 1
        if groups and row + 8 <= count and (byte == 0 or byte == 0xFF):
            index = before
            break
        out[at] = byte
        at += 1
        row += 8
        groups += 1
    # Two bytes of varint whatever the number: its place is taken before the number is known.
    header = groups << 1 | 1
    out[head] = (header & 0x7F) | 0x80
    out[head + 1] = header >> 7
    return min(row, count), index, at


@kernel
def number_rows(matrix, table, numbers, first):
    """Number equal rows alike, in the order of their coming: `first[k]` is the first row of number k. Returns how many.

    `table` is all -1, its length a power of two, more than twice the rows.
    """
    mask = len(table) - 1
    count = 0
    for row in range(len(matrix)):
        bits = np.int64(0)
        for column in range(matrix.shape[1]):
            word = matrix[row, column]
            bits = ((bits ^ (word & WORD)) & WORD) * 0x6C8E9CF5
            bits = (((bits ^ (bits >> 31)) ^ (word >> 32)) & WORD) * 0x5851F42D
            bits ^= bits >> 29
        at = bits & mask
        while table[at] >= 0:
            other = first[table[at]]
            same = True
            for column in range(matrix.shape[1]):
                same = same and matrix[row, column] == matrix[other, column]
            if same:
                break
            at = (at + 1) & mask
        if table[at] < 0:
            table[at] = count
            first[count] = row
            count += 1
        numbers[row] = table[at]
    return count


@kernel
def transpose(matrix, out):
    """out = matrix.T, a square of eight lines at a time: a column alone would touch a line for each number."""
    rows, columns = matrix.shape
    for row in range(0, rows, 8):
        for column in range(0, columns, 8):
            for i in range(row, min(row + 8, rows)):
                for j in range(column, min(column + 8, columns)):
                    out[j, i] = matrix[i, j]
