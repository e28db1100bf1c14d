"""The addresses of a file's rows, each once, as the dictionaries of its text and its bytes columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cstor.store.columns import number_equal
from cstor.store.grouping import Ints
from cstor.store.parquet_file import Words
from wire.packets.jit import kernel

LENGTH_16 = (16).to_bytes(4, "little")
LONGEST = 4 + len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
ZERO, DOT, COLON, LETTER_A = 48, 46, 58, 97


class End(NamedTuple):
    """One side of conversations or sessions: each row's number of its address, and the addresses."""

    side: str
    numbers: Ints
    text: Words
    raw: Words


def end_of(rows: np.ndarray, side: str) -> End:
    """The addresses of a side."""
    pairs = np.stack([rows[f"{side}_hi"], rows[f"{side}_lo"]], axis=1)
    numbers, first = number_equal(pairs)
    pairs = pairs[first]
    raw = np.empty((len(pairs), 20), np.uint8)
    raw[:, :4] = np.frombuffer(LENGTH_16, np.uint8)
    raw[:, 4:] = pairs.astype(">i8").view(np.uint8).reshape(len(pairs), 16)
    texts = np.empty(len(pairs) * LONGEST, np.uint8)
    text = Words(texts[: put_texts(pairs, texts)].tobytes(), len(pairs))
    return End(side, numbers, text, Words(raw.tobytes(), len(pairs), *_extremes(pairs)))


def _extremes(pairs: Ints) -> tuple[bytes, bytes]:
    """The least and the greatest address, as unsigned numbers of 128 bits."""
    if not len(pairs):
        return b"", b""
    high, low = pairs[:, 0].view(np.uint64), pairs[:, 1].view(np.uint64)
    ends = [(edge(high), edge(low[high == edge(high)])) for edge in (np.min, np.max)]
    least, greatest = (int(one).to_bytes(8, "big") + int(two).to_bytes(8, "big") for one, two in ends)
    return least, greatest


@kernel
def put_texts(pairs, out):
    """Addresses as people write them, each behind its length in four bytes; returns how many bytes they are."""
    at = 0
    for index in range(len(pairs)):
        high, low = pairs[index, 0], pairs[index, 1]
        start = at
        at += 4
        if high == 0 and low >> 32 == 0xFFFF:
            at = put_dotted(low, out, at)
        else:
            at = put_words(high, low, out, at)
        out[start] = at - start - 4
        out[start + 1] = 0
        out[start + 2] = 0
        out[start + 3] = 0
    return at


@kernel
def put_dotted(low, out, at):
    """The lowest 32 bits as a dotted quad."""
    for shift in range(24, -8, -8):
        byte = (low >> shift) & 0xFF
        if byte >= 100:
            out[at] = ZERO + byte // 100
            at += 1
        if byte >= 10:
            out[at] = ZERO + byte // 10 % 10
            at += 1
        out[at] = ZERO + byte % 10
        out[at + 1] = DOT
        at += 2
    return at - 1  # no point behind the last


@kernel
def put_words(high, low, out, at):
    """IPv6 as in RFC 5952: the longest run of two or more zeros, the first of equals, is left out."""
    best, most, run = -1, 1, 0
    for word in range(8):
        run = run + 1 if word_of(high, low, word) == 0 else 0
        if run > most:
            best, most = word - run + 1, run
    word = 0
    while word < 8:
        if word == best:
            out[at] = COLON
            out[at + 1] = COLON
            at += 2
            word += most
            if best == 0 and most == 6:  # as inet_ntop: an IPv4 address behind zeros
                return put_dotted(low, out, at)
            continue
        if word > 0 and word != best + most:
            out[at] = COLON
            at += 1
        at = put_hex(word_of(high, low, word), out, at)
        word += 1
    return at


@kernel
def word_of(high, low, word):
    """One of the eight words of an address."""
    half = high if word < 4 else low
    return (half >> (48 - 16 * (word & 3))) & 0xFFFF


@kernel
def put_hex(word, out, at):
    """Up to four digits without leading zeros."""
    for shift in range(12, -4, -4):
        digit = (word >> shift) & 15
        if digit or word >> shift or shift == 0:
            out[at] = ZERO + digit if digit < 10 else LETTER_A + digit - 10
            at += 1
    return at
