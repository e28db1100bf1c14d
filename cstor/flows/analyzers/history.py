"""The history of a connection in Zeek's letters: the first time that each side did what.

S SYN, H SYN-ACK, A ACK without data, D data, F FIN, R RST, T resent, W window closed, G gap. Upper case for the client,
lower case for the server; a leading ^ where the first packet seen was the server's.
"""

from __future__ import annotations

from cstor.flows.analyzers.loss import IS_GAP, IS_RESEND, IS_ZERO_WINDOW
from wire.packets.jit import inline
from wire.packets.layout import ACK, FIN, RST, SYN

LETTERS = b"SHADFRTWG"
S, H, A, D, F, R, T, W, G = (1 << number for number in range(len(LETTERS)))
LENGTH = 2 * len(LETTERS)
FLOW = [
    ("letters", "i4"),  # bit (letter + 16 x side) of what has been written already
    ("history_length", "i1"),
    ("history", "i1", (LENGTH,)),  # 2 x letter + side
]


@inline
def letters_of(packet, flags):
    """Bits of the letters that a TCP packet deserves."""
    kind = packet["flags"]
    bits = 0
    if kind & SYN:
        bits = H if kind & ACK else S
    elif packet["payload_length"] <= 0 and kind & ACK and kind & (FIN | RST) == 0:
        bits = A
    if packet["payload_length"] > 0:
        bits |= D
    if kind & FIN:
        bits |= F
    if kind & RST:
        bits |= R
    if flags & (IS_RESEND | IS_ZERO_WINDOW | IS_GAP):
        bits |= (T if flags & IS_RESEND else 0) | (W if flags & IS_ZERO_WINDOW else 0) | (G if flags & IS_GAP else 0)
    return bits


@inline
def write_history(flow, bits, side):
    """Append the letters that this side has not had yet."""
    fresh = bits & ~(flow["letters"] >> (16 * side))
    if fresh != 0:
        flow["letters"] |= fresh << (16 * side)
        for letter in range(len(LETTERS)):
            if fresh & (1 << letter):
                flow["history"][flow["history_length"]] = 2 * letter + side
                flow["history_length"] += 1
