"""A search over a store: filter and time range -> packets, merged in time order, up to a limit.

Segments whose times do not overlap follow one another; those that do are merged round by round: whatever is not later
than the earliest of the streams' last known packets can be sorted and handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cstor.search.gather import in_time_order
from cstor.search.plan import SearchPlan, make_plan
from cstor.search.scan import Matcher, matches, scan
from cstor.store.catalog import Segment
from wire.filters.grammar import Expression, parse
from wire.filters.packets import PacketFilter
from wire.packets.batch import PacketBatch
from wire.packets.pcap import RECORD_HEAD

Tell = Callable[["Search"], None]


class Search:
    """Iterate over it once for the packets, or `count()` them. A batch has one link type and ends with the next."""

    def __init__(
        self,
        plan: SearchPlan,
        chosen: PacketFilter,
        max_packets: int | None = None,
        max_bytes: int | None = None,
        tell: Tell | None = None,
    ) -> None:
        self.plan = plan
        self.max_packets = max_packets
        self.max_bytes = max_bytes
        self.packets = 0  # handed out or counted so far
        self.bytes = 0  # the same as pcap records
        self.limit = ""  # which limit ended the search
        self._matcher = Matcher(chosen, plan.start_ns, plan.end_ns)
        self._tell = tell

    @property
    def scanned(self) -> int:
        """Packets looked at so far."""
        return self._matcher.scanned

    def __iter__(self) -> Iterator[PacketBatch]:
        for group in self.plan.groups():
            for batch in self._merged(group):
                kept = self._within_limits(batch)
                if kept.packets:
                    yield kept
                if self.limit:
                    return

    def count(self) -> int:
        """How many packets match: nothing is copied or sorted."""
        for segment in self.plan.segments:
            for batch, mask in scan(segment, self._matcher):
                self.packets += int(mask.sum())
                self.bytes += int((batch.captured[mask] + RECORD_HEAD).sum(dtype=np.int64))
                self._told()
                if self.max_packets is not None and self.packets >= self.max_packets:
                    self.packets, self.limit = self.max_packets, "max_packets"
                    return self.packets
        return self.packets

    def _told(self) -> None:
        if self._tell:
            self._tell(self)

    def _merged(self, group: list[Segment]) -> Iterator[PacketBatch]:
        alone = len(group) == 1
        streams = [matches(segment, self._matcher, self._told, keep=not alone) for segment in group]
        if alone:
            yield from streams[0]
            return
        heads: list[PacketBatch | None] = [next(stream, None) for stream in streams]
        while waiting := [head for head in heads if head is not None]:
            # Every stream may go on right after its head's last packet, so up to the earliest of these all is known.
            known_until = min(int(head.time_ns[-1]) for head in waiting)
            ready: list[PacketBatch] = []
            for index, head in enumerate(heads):
                if head is None:
                    continue
                count = int(np.searchsorted(head.time_ns, known_until, side="right"))
                if count:
                    ready.append(head.part(0, count))
                if count == head.packets:
                    heads[index] = next(streams[index], None)
                else:
                    heads[index] = head.part(count, head.packets)
            yield from in_time_order(ready)

    def _within_limits(self, batch: PacketBatch) -> PacketBatch:
        """As much of a batch as the limits leave."""
        count = batch.packets
        sizes = np.cumsum(batch.captured.astype(np.int64) + RECORD_HEAD)
        if self.max_packets is not None and self.packets + count > self.max_packets:
            count, self.limit = self.max_packets - self.packets, "max_packets"
        if self.max_bytes is not None and self.bytes + int(sizes[-1]) > self.max_bytes:
            fitting = int(np.searchsorted(sizes, self.max_bytes - self.bytes, side="right"))
            if fitting < count:
                count, self.limit = fitting, "max_bytes"
        self.packets += count
        self.bytes += int(sizes[count - 1]) if count else 0
        return batch.part(0, count)


def search(
    store_dir: Path,
    text: str | Expression = "",
    start_ns: int | None = None,
    end_ns: int | None = None,
    max_packets: int | None = None,
    max_bytes: int | None = None,
    outer: bool = False,
    tell: Tell | None = None,
) -> Search:
    """Plan a search over [start_ns, end_ns); FilterError for a filter that cannot be understood or applied."""
    words = text if isinstance(text, str) else str(text)
    chosen = PacketFilter(parse(text) if isinstance(text, str) else text, outer, words)
    return Search(make_plan(store_dir, chosen, start_ns, end_ns), chosen, max_packets, max_bytes, tell)
