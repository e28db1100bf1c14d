"""One call from frames to records, for tests."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np

from wire.packets.batch import batch_of
from wire.packets.decode import decode_batch
from wire.packets.fragments import FragmentTable, new_fragment_table
from wire.packets.layout import ERRORS, LINK_ETHERNET, new_error_counters, new_packets


def decode(
    *frames: bytes,
    link_type: int = LINK_ETHERNET,
    wire_lengths: Sequence[int] | None = None,
    times_ns: Sequence[int] | None = None,
    fragments: FragmentTable | None = None,
) -> np.ndarray:
    """The records of some frames; a batch starts with rubbish in its records, as in real use."""
    out = new_packets(len(frames))
    out.view(np.uint8)[:] = 0xA5
    counters = new_error_counters()
    batch = batch_of(frames, times_ns, wire_lengths, link_type)
    assert decode_batch(batch, out, counters, fragments or new_fragment_table(64)) == len(frames)
    return out


def counted(
    *frames: bytes, link_type: int = LINK_ETHERNET, wire_lengths: Sequence[int] | None = None
) -> dict[str, int]:
    """The reasons counted for some frames, without those that are 0."""
    counters = new_error_counters()
    batch = batch_of(frames, None, wire_lengths, link_type)
    decode_batch(batch, new_packets(len(frames)), counters, new_fragment_table(64))
    return {name: count for name, count in zip(ERRORS, counters.tolist(), strict=True) if count}


def address(row: np.void, side: str) -> str:
    """An address of a record as text."""
    value = (int(row[f"{side}_hi"]) & (1 << 64) - 1) << 64 | int(row[f"{side}_lo"]) & (1 << 64) - 1
    found = ipaddress.IPv6Address(value)
    return str(found.ipv4_mapped or found)
