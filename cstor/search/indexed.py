"""The packets of one segment that its index cannot exclude: which they are, where they lie, and reading them in runs.

Packets close to one another are read with what lies between them in one go; only those of which the index is not sure
are decoded and matched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from cstor.search.decide import MAYBE, NO, YES, may_hold, states_of
from cstor.store.catalog import Segment, open_segment
from cstor.store.index import EVERY, LONG, UNSURE, SegmentIndex, open_index
from wire.filters.packets import PacketFilter
from wire.packets.batch import MAX_PACKETS, PacketBatch
from wire.packets.bigendian import le32
from wire.packets.capturefile import CaptureError
from wire.packets.jit import kernel
from wire.packets.pcap import RECORD_HEAD

READ_THROUGH = 64 << 10  # bytes between two packets that are read rather than skipped
BATCH_BYTES = 1 << 20


class Share(NamedTuple):
    """How much of a segment a search has to look at, at most."""

    packets: int
    bytes: int


class Chosen(NamedTuple):
    """Packets of a segment that may match, in the order of their records."""

    offset: np.ndarray  # i8, of the record in the file
    size: np.ndarray  # i8, of the record
    is_sure: np.ndarray  # bool: matches, whatever is in it


def usable_index(segment: Segment, chosen: PacketFilter) -> SegmentIndex | None:
    """The index, if asking it is of use."""
    return None if chosen.matches_all else open_index(segment)


def share_of(index: SegmentIndex, chosen: PacketFilter) -> Share:
    """By the flows alone; IndexDamaged."""
    segment, unsure = index.segment, index.summary.unsure
    if not chosen.outer and not may_hold(chosen.expression, index.summary):
        packets, size = 0, 0
    else:
        states = states_of(index, chosen)[:-1]
        is_candidate = np.maximum(states[0::2], states[1::2]) > NO
        flows = [(rows["packets"], rows["bytes"]) for rows in (index.flows4, index.flows6)]
        packets, size = (int(np.concatenate(column)[is_candidate].sum()) for column in zip(*flows, strict=True))
    average = segment.bytes_valid // max(1, segment.packets)
    packets += unsure
    return Share(packets, min(segment.bytes_valid, size + RECORD_HEAD * packets + average * unsure))


def choose(index: SegmentIndex, chosen: PacketFilter, start_ns: int, end_ns: int) -> Chosen:
    """The candidates of a range of time; IndexDamaged."""
    first, last = _range(index, start_ns, end_ns)
    numbers = index.numbers[first:last]
    if not chosen.outer and not may_hold(chosen.expression, index.summary):
        which = np.flatnonzero(numbers == UNSURE)
        state = np.full(len(which), MAYBE, np.uint8)
    else:
        states = states_of(index, chosen)
        state = states[np.minimum(numbers, len(states) - 1)]
        which = np.flatnonzero(state)
        state = state[which]
    offsets = _offsets(index, first, last)
    return Chosen(offsets[which], offsets[which + 1] - offsets[which], state == YES)


def _range(index: SegmentIndex, start_ns: int, end_ns: int) -> tuple[int, int]:
    """Numbers of the packets between which a range lies, by the marks; of an unordered segment all."""
    segment = index.segment
    if not segment.ordered:
        return 0, segment.packets
    times = index.marks["time_ns"].astype(np.int64)
    first = max(0, int(np.searchsorted(times, start_ns, side="left")) - 1) * EVERY
    last = int(np.searchsorted(times, end_ns, side="left")) * EVERY
    return min(first, segment.packets), min(last, segment.packets)


def _offsets(index: SegmentIndex, first: int, last: int) -> np.ndarray:
    """Where the records from `first` (the packet of a mark) on begin, and where the last one ends."""
    lengths = index.lengths[first:last]
    sizes = lengths.astype(np.int64) + RECORD_HEAD
    longs = np.flatnonzero(lengths == LONG)
    offsets = np.zeros(len(sizes) + 1, np.int64)
    if len(index.marks):
        offsets[0] = index.marks["offset"][min(first // EVERY, len(index.marks) - 1)]
    if len(longs):
        with open_segment(index.segment) as file:
            for at in longs.tolist():
                # The record itself says how long it is; all before it in this stretch is known by then.
                begin = int(offsets[0] + sizes[:at].sum())
                sizes[at] = int.from_bytes(os.pread(file.fileno(), 4, begin + 8), "little") + RECORD_HEAD
    np.cumsum(sizes, out=offsets[1:])
    offsets[1:] += offsets[0]
    return offsets


def read_chosen(segment: Segment, found: Chosen) -> Iterator[tuple[PacketBatch, np.ndarray]]:
    """Batches of the candidates, and of which of them the index is sure; each is valid until the next."""
    try:
        file = open_segment(segment)
    except FileNotFoundError:
        raise CaptureError(segment.path, 0, "retention removed this segment during the search") from None
    buffer = np.empty(2 * BATCH_BYTES, np.uint8)
    with file:
        start = 0
        while start < len(found.offset):
            stop, runs, total = _next_batch(found, start)
            if total > len(buffer):
                buffer = np.empty(total, np.uint8)
            at = np.empty(stop - start, np.int64)
            used = 0
            for first, last in runs:
                begin, end = int(found.offset[first]), int(found.offset[last - 1] + found.size[last - 1])
                if os.preadv(file.fileno(), [buffer[used : used + end - begin].data], begin) < end - begin:
                    raise CaptureError(segment.path, begin, "the segment is shorter than its index says", True)
                at[first - start : last - start] = found.offset[first:last] - begin + used
                used += end - begin
            yield _batch(segment, buffer, at, found.size[start:stop]), found.is_sure[start:stop]
            start = stop


def _next_batch(found: Chosen, start: int) -> tuple[int, list[tuple[int, int]], int]:
    """Up to which candidate a batch goes, its runs, and the bytes that they take."""
    stop = min(len(found.offset), start + MAX_PACKETS)
    ends = found.offset[start:stop] + found.size[start:stop]
    gaps = found.offset[start + 1 : stop] - ends[:-1]
    is_new = np.flatnonzero(gaps >= READ_THROUGH) + 1
    skipped = np.zeros(stop - start, np.int64)
    skipped[is_new] = gaps[is_new - 1]
    totals = ends - found.offset[start] - np.cumsum(skipped)
    count = max(1, int(np.searchsorted(totals, BATCH_BYTES, side="right")))
    edges = [0, *is_new[is_new < count].tolist(), count]
    runs = [(start + first, start + last) for first, last in pairwise(edges)]
    return start + count, runs, int(totals[count - 1])


def _batch(segment: Segment, buffer: np.ndarray, at: np.ndarray, sizes: np.ndarray) -> PacketBatch:
    captured, wire_length = np.empty((2, len(at)), np.int32)
    time_ns = np.empty(len(at), np.int64)
    if not read_heads(buffer, at, sizes, captured, wire_length, time_ns):
        raise CaptureError(segment.path, 0, "records are not where the index says; `cstor check` tells more", True)
    return PacketBatch(buffer, at + RECORD_HEAD, captured, wire_length, time_ns, segment.link_type)


@kernel
def read_heads(buffer, at, sizes, captured, wire_length, time_ns):
    """What the heads of records at these places say; False if one says another length than the index."""
    for index in range(len(at)):
        here = at[index]
        if le32(buffer, here + 8) != sizes[index] - RECORD_HEAD:
            return False
        time_ns[index] = le32(buffer, here) * 1_000_000_000 + le32(buffer, here + 4)
        captured[index] = le32(buffer, here + 8)
        wire_length[index] = le32(buffer, here + 12)
    return True
