"""Verifies a segment: whole records of one link type up to the end, and a head that tells the truth about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cstor.store.bounded import BoundedFile
from cstor.store.catalog import Segment, open_segment, read_head
from cstor.store.finding import Finding
from cstor.store.index import verify
from wire.packets.capturefile import CaptureError, Chunks
from wire.packets.pcap import PcapReader

REPAIR = "move both files out of the store and `cstor ingest` the pcap: what is whole of it is read"
REBUILD = "searches read the packets instead; " + REPAIR


@dataclass
class SegmentFindings:
    """Packets that were read, and what is wrong with them."""

    packets: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass
class _Walked:
    """What the records of a segment say."""

    packets: int = 0
    first_ns: int = 0
    last_ns: int = 0
    ordered: bool = True
    link_types: set[int] = field(default_factory=set)


def check_sealed(idx: Path) -> SegmentFindings:
    """A segment in its hour's folder. FileNotFoundError when it is removed meanwhile."""
    segment = read_head(idx)
    if segment is None:
        return SegmentFindings(0, [Finding("the index is damaged", REPAIR)])
    size = _size(segment)
    if size is None:
        if not idx.exists():
            raise FileNotFoundError(idx)
        return SegmentFindings(0, [Finding("its pcap is gone", "the next start removes the index", is_note=True)])
    if size != segment.bytes_valid:
        return SegmentFindings(0, [Finding(f"the pcap has {size} bytes, not {segment.bytes_valid}", REPAIR)])
    found = _walk(segment)
    wrong = verify(idx)
    if wrong:
        found.findings.append(Finding(f"the index is damaged: {wrong}", REBUILD))
    return found


def check_growing(root: Path, idx: Path) -> SegmentFindings:
    """A segment in live/, up to its last whole head."""
    segment = read_head(idx)
    if segment is None or not segment.packets:
        return SegmentFindings()  # the first head is still to come, or never will: the next start removes it
    size = _size(segment)
    if size is None:
        return SegmentFindings(0, [Finding("its pcap is gone", "the next start removes the index", is_note=True)])
    if size < segment.bytes_valid:
        what = f"the pcap has {size} bytes, the index vouches for {segment.bytes_valid}"
        return SegmentFindings(0, [Finding(what, "the next start cuts it where both agree", is_note=True)])
    return _walk(segment)


def _size(segment: Segment) -> int | None:
    try:
        with open_segment(segment) as file:
            return file.seek(0, 2)
    except FileNotFoundError:
        return None


def _walk(segment: Segment) -> SegmentFindings:
    walked = _Walked()
    try:
        file = BoundedFile(open_segment(segment), segment.bytes_valid)
        with PcapReader(Chunks(segment.path, file)) as reader:  # type: ignore[arg-type]
            for batch in reader:
                times = batch.time_ns
                walked.ordered &= bool((times[1:] >= times[:-1]).all() and times[0] >= walked.last_ns)
                first, last = int(times.min()), int(times.max())
                walked.first_ns = min(walked.first_ns, first) if walked.packets else first
                walked.last_ns = max(walked.last_ns, last)
                walked.link_types.add(batch.link_type)
                walked.packets += batch.packets
    except CaptureError as error:
        return SegmentFindings(walked.packets, [Finding(f"damaged at byte {error.offset} ({error.reason})", REPAIR)])
    return SegmentFindings(walked.packets, [Finding(what, REPAIR) for what in _differences(segment, walked)])


def _differences(segment: Segment, walked: _Walked) -> list[str]:
    found = []
    if walked.packets != segment.packets:
        found.append(f"holds {walked.packets} packets, the index says {segment.packets}")
    # Where the disk did not follow, packets that the head has counted the times of were dropped.
    if walked.packets and not (segment.first_ns <= walked.first_ns <= walked.last_ns <= segment.last_ns):
        found.append("has packets outside the times that the index says")
    if walked.link_types - {segment.link_type}:
        found.append(f"has link types {sorted(walked.link_types)}, the index says {segment.link_type}")
    if segment.ordered and not walked.ordered:
        found.append("is out of order in time, the index says ordered")
    return found
