"""A kernel that runs a classic BPF program over a batch of frames, instruction by instruction as libpcap does.

Registers are 32 bits wide and unsigned: int64 under a mask here. A load beyond the captured bytes rejects the packet.
`protochain` is the only filter that jumps backwards; a bound on jumps keeps a made-up program from running for ever.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wire.packets.bigendian import u8, u16, u32
from wire.packets.jit import inline, kernel

WORD = 0xFFFFFFFF
MOST_JUMPS = 100_000

LD_ABS_W, LD_ABS_H, LD_ABS_B = 0x20, 0x28, 0x30
LD_IND_W, LD_IND_H, LD_IND_B = 0x40, 0x48, 0x50
LD_LEN, LD_IMM, LD_MEM = 0x80, 0x00, 0x60
LDX_IMM, LDX_MEM, LDX_LEN, LDX_MSH = 0x01, 0x61, 0x81, 0xB1
ST, STX = 0x02, 0x03
JUMP, JEQ, JGT, JGE, JSET = 0x05, 0x15, 0x25, 0x35, 0x45
RETURN_K, RETURN_A = 0x06, 0x16
TAX, TXA = 0x07, 0x87
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR = 0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x9, 0xA
CLASS, ALU_CLASS, JUMP_CLASS = 0x07, 0x04, 0x05
BY_X = 0x08
MEMORY_WORDS = 16

Frames = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # buffer, offset, captured, wire_length


def accepted(program: np.ndarray, frames: Frames, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which frames the program accepts, of those that are chosen."""
    out = np.zeros(len(chosen), np.bool_)
    match_bpf(program, np.zeros(MEMORY_WORDS, np.int64), *frames, chosen, out)
    return out


@kernel
def match_bpf(program, memory, buffer, offset, captured, wire_length, chosen, out):
    """Set out[i] to whether the program accepts frame i, for the frames where chosen[i]; leave the others."""
    for index in range(len(offset)):
        if chosen[index]:
            for word in range(MEMORY_WORDS):
                memory[word] = 0  # libpcap's code for `geneve` may read a word that this packet did not write
            start = offset[index]
            length, whole = np.int64(captured[index]), np.int64(wire_length[index])
            out[index] = run(program, memory, buffer, start, length, whole) != 0


@kernel
def run(program, memory, buffer, start, length, wire_length):
    """What the program returns for a frame: how much of it to keep, or the number of a fanout; 0 where it gives up."""
    a, x, at, jumps = np.int64(0), np.int64(0), np.int64(0), 0
    while True:
        code, k = program[at, 0], program[at, 3]
        at += 1
        if code in (LD_ABS_H, LD_ABS_B, LD_ABS_W):
            size = 2 if code == LD_ABS_H else 1 if code == LD_ABS_B else 4
            if k + size > length:
                return np.int64(0)
            a = load(buffer, start + k, size)
        elif code & CLASS == JUMP_CLASS:
            if code == JUMP:
                at += k if k < 0x80000000 else k - 0x100000000
                jumps += 1
                if jumps > MOST_JUMPS:
                    return np.int64(0)
            else:
                at += program[at - 1, 1] if jump_test(code, a, x if code & BY_X else k) else program[at - 1, 2]
        elif code == RETURN_K:
            return k
        elif code == LDX_MSH:
            if k >= length:
                return np.int64(0)
            x = (u8(buffer, start + k) & 0xF) << 2
        elif code in (LD_IND_H, LD_IND_B, LD_IND_W):
            size = 2 if code == LD_IND_H else 1 if code == LD_IND_B else 4
            if k + x + size > length:
                return np.int64(0)
            a = load(buffer, start + k + x, size)
        elif code & CLASS == ALU_CLASS:
            operand = x if code & BY_X else k
            if operand == 0 and (code >> 4 == DIV or code >> 4 == MOD):
                return np.int64(0)
            a = arithmetic(code >> 4, a, operand)
        elif code == RETURN_A:
            return a
        else:
            a, x = move(code, k, a, x, memory, wire_length)


@inline
def load(buffer, at, size):
    return u16(buffer, at) if size == 2 else u8(buffer, at) if size == 1 else u32(buffer, at)


@inline
def jump_test(code, a, operand):
    kind = code & 0xF0
    if kind == 0x10:
        return a == operand
    if kind == 0x40:
        return a & operand != 0
    return a > operand if kind == 0x20 else a >= operand


@inline
def arithmetic(operation, a, operand):
    """32-bit unsigned arithmetic; a shift by 32 or more gives 0."""
    if operation == AND:
        return a & operand
    if operation == OR:
        return a | operand
    if operation == XOR:
        return a ^ operand
    if operation == ADD:
        return (a + operand) & WORD
    if operation == SUB:
        return (a - operand) & WORD
    if operation == MUL:
        # In halves: the whole product would not fit into 63 bits.
        return ((a * (operand & 0xFFFF)) + ((a * (operand >> 16) & 0xFFFF) << 16)) & WORD
    if operation == DIV:
        return a // operand
    if operation == MOD:
        return a % operand
    if operation == LSH:
        return (a << operand) & WORD if operand < 32 else np.int64(0)
    if operation == RSH:
        return a >> operand if operand < 32 else np.int64(0)
    return -a & WORD


@inline
def move(code, k, a, x, memory, wire_length):
    """Loads and stores that do not touch the packet."""
    if code == LDX_IMM:
        x = k
    elif code == LD_IMM:
        a = k
    elif code == LD_LEN:
        a = wire_length
    elif code == LDX_LEN:
        x = wire_length
    elif code == LD_MEM:
        a = memory[k & 15]
    elif code == LDX_MEM:
        x = memory[k & 15]
    elif code == ST:
        memory[k & 15] = a
    elif code == STX:
        memory[k & 15] = x
    elif code == TAX:
        x = a
    elif code == TXA:
        a = x
    return a, x
