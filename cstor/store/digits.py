"""Kernels that write integers as JSON, into a buffer that the caller made large enough."""

from __future__ import annotations

import numpy as np

from wire.packets.jit import kernel

MINUS, COMMA, ZERO, OPEN, CLOSE = 45, 44, 48, 91, 93
NULL = np.frombuffer(b"null", np.uint8)
DIGITS = 21  # of an integer at most, with its sign and a comma


@kernel
def write_integers(values, absent, out, at):
    """Integers with commas behind them, `absent` as null; returns where the text ends."""
    for row in range(len(values)):
        if values[row] == absent:
            at = write_null(out, at)
        else:
            at = write_integer(out, at, values[row])
        out[at] = COMMA
        at += 1
    return at


@kernel
def is_all(values, value):
    """Whether all values are this one."""
    row = 0
    while row < len(values) and values[row] == value:
        row += 1
    return row == len(values)


@kernel
def write_pairs(lengths, bins, counts, out, at):
    """Histograms as flat lists with commas behind them, empty ones as null; returns where the text ends."""
    pair = 0
    for row in range(len(lengths)):
        if lengths[row] == 0:
            at = write_null(out, at)
        else:
            out[at] = OPEN
            at += 1
            for _ in range(lengths[row]):
                at = write_integer(out, at, bins[pair])
                out[at] = COMMA
                at = write_integer(out, at + 1, counts[pair])
                out[at] = COMMA
                at += 1
                pair += 1
            out[at - 1] = CLOSE
        out[at] = COMMA
        at += 1
    return at


@kernel
def write_null(out, at):
    """The word null."""
    for letter in range(4):
        out[at + letter] = NULL[letter]
    return at + 4


@kernel
def write_integer(out, at, value):
    """One integer in decimal; the least one of 64 bits too."""
    if value >= 0:
        value = -value
    else:
        out[at] = MINUS
        at += 1
    digits = 1
    rest = value // -10  # of a number below zero, so that the least one has no overflow
    while rest > 0:
        digits += 1
        rest //= 10
    for digit in range(digits):
        quotient = -(value // -10)
        out[at + digits - 1 - digit] = ZERO - (value - quotient * 10)
        value = quotient
    return at + digits
