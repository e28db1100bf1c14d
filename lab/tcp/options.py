"""TCP options of the lab's hosts: MSS, window scale and timestamps (RFC 7323), selective acknowledgement (RFC 2018)."""

from __future__ import annotations

import struct

WINDOW_SCALE = 7
TIMESTAMPS_BYTES = 12
_TIMESTAMPS = struct.Struct("!BBBBII")
_SYN_WITH_TIMESTAMPS = struct.Struct("!BBHBBBBIIBBB")
_SYN_PLAIN = struct.Struct("!BBHBBBBBBBB")
NOP = 1


def syn_options(mss: int, timestamps: tuple[int, int] | None) -> bytes:
    """Options of a SYN or SYN-ACK: as Linux orders them with timestamps, as Windows does without."""
    if timestamps is None:
        return _SYN_PLAIN.pack(2, 4, mss, NOP, 3, 3, WINDOW_SCALE, NOP, NOP, 4, 2)
    return _SYN_WITH_TIMESTAMPS.pack(2, 4, mss, 4, 2, 8, 10, *timestamps, NOP, 3, 3) + bytes([WINDOW_SCALE])


def segment_options(timestamps: tuple[int, int] | None, blocks: list[tuple[int, int]]) -> bytes:
    """Options of every other segment; `blocks` are at most three SACK blocks, modulo 2**32."""
    options = b"" if timestamps is None else _TIMESTAMPS.pack(NOP, NOP, 8, 10, *timestamps)
    if blocks:
        options += struct.pack(f"!BBBB{2 * len(blocks)}I", NOP, NOP, 5, 2 + 8 * len(blocks), *sum(blocks, ()))
    return options
