"""The matching packets of one segment: by its index, or read to its last whole record; decode, run the filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cstor.search.gather import chosen_frames, chosen_view, in_time_order
from cstor.search.indexed import choose, read_chosen, usable_index
from cstor.search.roles import FlowRoles
from cstor.store.bounded import BoundedFile
from cstor.store.catalog import Segment, open_segment
from cstor.store.index import IndexDamaged
from wire.filters.packets import PacketFilter
from wire.packets.batch import MAX_PACKETS, PacketBatch
from wire.packets.capturefile import CaptureError, Chunks
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import new_error_counters, new_packets
from wire.packets.pcap import PcapReader

MOST = 0.5  # of a segment: when the index is sure of nothing and excludes less, reading all of it is faster


class Matcher:
    """A filter with what it has to remember from packet to packet of one search."""

    def __init__(self, chosen: PacketFilter, start_ns: int, end_ns: int) -> None:
        self.chosen = chosen
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.scanned = 0
        self._packets = new_packets(MAX_PACKETS)
        self._counters = new_error_counters()
        self._fragments = new_fragment_table() if chosen.needs_packets else None
        self._roles = FlowRoles() if chosen.needs_roles else None

    def mask(self, batch: PacketBatch) -> np.ndarray:
        """Which packets of a batch match and lie in the range."""
        self.scanned += batch.packets
        inside = (batch.time_ns >= self.start_ns) & (batch.time_ns < self.end_ns)
        if not inside.any():
            return inside
        packets = forward = None
        if self._fragments is not None:
            packets = self._packets[: decode_batch(batch, self._packets, self._counters, self._fragments)]
        if self._roles is not None:
            forward = self._roles.forward(packets)
        return inside & self.chosen.mask(batch, packets, forward)

    def mask_but(self, batch: PacketBatch, is_sure: np.ndarray) -> np.ndarray:
        """The same, where some are known to match: only the others are looked at."""
        if not is_sure.any():
            return self.mask(batch)
        found = is_sure & (batch.time_ns >= self.start_ns) & (batch.time_ns < self.end_ns)
        if is_sure.all():
            self.scanned += batch.packets
            return found
        self.scanned += int(np.count_nonzero(is_sure))
        found[~is_sure] = self.mask(chosen_view(batch, ~is_sure))
        return found


def scan(segment: Segment, matcher: Matcher) -> Iterator[tuple[PacketBatch, np.ndarray]]:
    """The segment's batches with what matches of each; a batch is valid until the next. With an index, batches hold
    only what it cannot exclude."""
    try:
        index = usable_index(segment, matcher.chosen)
        found = choose(index, matcher.chosen, matcher.start_ns, matcher.end_ns) if index else None
    except (IndexDamaged, FileNotFoundError):
        found = None
    if found is None or (not found.is_sure.any() and len(found.offset) > MOST * segment.packets):
        yield from _scan_all(segment, matcher)
        return
    for batch, is_sure in read_chosen(segment, found):
        yield batch, matcher.mask_but(batch, is_sure)


def _scan_all(segment: Segment, matcher: Matcher) -> Iterator[tuple[PacketBatch, np.ndarray]]:
    try:
        file = open_segment(segment)
    except FileNotFoundError:
        raise CaptureError(segment.path, 0, "retention removed this segment during the search") from None
    with PcapReader(Chunks(segment.path, BoundedFile(file, segment.bytes_valid))) as reader:  # type: ignore[arg-type]
        for batch in reader:
            yield batch, matcher.mask(batch)
            if segment.ordered and batch.time_ns[-1] >= matcher.end_ns:
                return


def matches(segment: Segment, matcher: Matcher, tell: Callable[[], None], keep: bool) -> Iterator[PacketBatch]:
    """The matching packets in time order; batches are valid until the next one unless they are to be kept.

    `tell` is called as the work goes on.
    """
    found: list[PacketBatch] = []
    for batch, mask in scan(segment, matcher):
        tell()
        if not mask.any():
            continue
        if not segment.ordered:
            found.append(chosen_frames(batch, mask))
        else:
            yield chosen_frames(batch, mask) if keep else chosen_view(batch, mask)
    if found:
        yield from in_time_order(found)
