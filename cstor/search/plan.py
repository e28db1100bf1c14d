"""What a search will read: the segments of its range, oldest first, in groups whose times overlap.

Segments whose index says that nothing in them can match are left out; of others it says how much has to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cstor.search.indexed import Share, share_of, usable_index
from cstor.store.catalog import Segment, all_segments, segments
from cstor.store.index import IndexDamaged
from wire.filters.error import FilterRefused
from wire.filters.packets import PacketFilter
from wire.packets.layout import LINK_TYPES

FIRST_NS, LAST_NS = 0, 2**63 - 1


@dataclass(frozen=True)
class SearchPlan:
    """Segments to be read for [start_ns, end_ns), and what is left out."""

    segments: tuple[Segment, ...]
    start_ns: int
    end_ns: int
    kept_from_ns: int | None  # time of the oldest packet in the store, None for an empty one
    left_out: tuple[str, ...] = ()  # why the filter cannot be applied to packets of some link types
    shares: tuple[Share, ...] = ()  # of each segment: what its index cannot exclude

    @property
    def packets(self) -> int:
        """How many packets are looked at: no more than these can match."""
        return sum(share.packets for share in self.shares)

    @property
    def bytes(self) -> int:
        return sum(share.bytes for share in self.shares)

    @property
    def link_types(self) -> tuple[int, ...]:
        return tuple(sorted({segment.link_type for segment in self.segments}))

    def groups(self) -> Iterator[list[Segment]]:
        """Neighbours whose times overlap belong together and are merged; groups follow one another in time."""
        group: list[Segment] = []
        latest = 0
        for segment in self.segments:
            if group and segment.first_ns > latest:
                yield group
                group = []
            latest = max(latest, segment.last_ns) if group else segment.last_ns
            group.append(segment)
        if group:
            yield group


def make_plan(store_dir: Path, chosen: PacketFilter, start_ns: int | None, end_ns: int | None) -> SearchPlan:
    """Look up the segments; FilterRefused if the filter fits none of their link types."""
    start, end = start_ns if start_ns is not None else FIRST_NS, end_ns if end_ns is not None else LAST_NS
    found = segments(store_dir, start, end)
    refused = _refusals(chosen, {segment.link_type for segment in found})
    fitting = tuple(segment for segment in found if segment.link_type not in refused)
    if found and not fitting:
        raise next(iter(refused.values()))
    kept_from = min((segment.first_ns for segment in all_segments(store_dir)), default=None)
    shares = [_share(segment, chosen) for segment in fitting]
    wanted = [(segment, share) for segment, share in zip(fitting, shares, strict=True) if share.packets]
    left_out = tuple(refusal.message for refusal in refused.values())
    planned = tuple(segment for segment, _ in wanted)
    return SearchPlan(planned, start, end, kept_from, left_out, tuple(share for _, share in wanted))


def _share(segment: Segment, chosen: PacketFilter) -> Share:
    try:
        index = usable_index(segment, chosen)
        return share_of(index, chosen) if index else Share(segment.packets, segment.bytes_valid)
    except (IndexDamaged, FileNotFoundError):
        return Share(segment.packets, segment.bytes_valid)


def names_of(link_types: Iterable[int]) -> str:
    """Link types in words."""
    return ", ".join(LINK_TYPES.get(link_type, str(link_type)) for link_type in sorted(link_types))


def _refusals(chosen: PacketFilter, link_types: set[int]) -> dict[int, FilterRefused]:
    """A VLAN or a MAC address cannot be asked for on raw IP: those segments are left out, and that is said."""
    refused: dict[int, FilterRefused] = {}
    for link_type in sorted(link_types):
        try:
            chosen.check(link_type)
        except FilterRefused as refusal:
            refused[link_type] = refusal
    return refused
