"""What an operator should be told of a node right now, in words: made from the numbers of its last seconds.

`critical` is what stops the node from doing its work, `warning` what costs packets or will soon, `notice` what could be
set up better.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cstor.counters import FULL, SECOND_NS, Numbers, by_reason, worst
from cstor.store.retention import MIN_FREE_MOST, MIN_FREE_SHARE
from cstor.store.segment import QUEUED_BUFFERS

BEHIND_S = 10.0  # two to four seconds are normal
RING_FULL = 0.8
TABLE_FULL = 0.95
QUEUE_FULL = 0.8
FREE_SHARE = 0.8  # of what retention leaves free
WINDOW_S = 10  # drops of the last so many seconds are said


@dataclass(frozen=True)
class Alarm:
    """`key` names the kind of trouble, see docs/observability.md."""

    key: str
    severity: Literal["critical", "warning", "notice"]
    text: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def from_numbers(levels: Numbers, grown: Numbers, seconds: float) -> Iterable[Alarm]:
    """What levels, and the growth of the counters over the last seconds, tell."""
    for source in sorted({key.source for key in grown if key.name == "drops"}):
        for reason, n in by_reason(grown, "drops", source).items():
            if n > 0:
                yield Alarm("drops", "warning", _dropped(source, reason, n, seconds))
    lag = worst(levels, "lag") / SECOND_NS
    if lag > BEHIND_S:
        yield Alarm("behind", "warning", f"the analysis is {lag:.0f} s behind")
    for key, fill in levels.items():
        if key.name == "ring_fill" and fill >= RING_FULL * FULL:
            yield Alarm("ring_fill", "warning", f"the buffer of {key.source} is {fill / FULL:.0%} full")
    if worst(levels, "table_occupancy") >= TABLE_FULL * FULL:
        yield Alarm("table_full", "warning", "the flow table is full: the oldest unestablished flows are evicted")
    events = by_reason(grown, "events")
    if events.get("rows_folded"):
        yield Alarm("rows_folded", "warning", "more conversations per second than are kept apart: the rest is in other")
    if worst(levels, "write_queue") >= QUEUE_FULL * QUEUED_BUFFERS:
        yield Alarm("write_queue", "warning", "the disk hardly follows: packets wait to be written")
    if sum(by_reason(grown, "write_failures").values()):
        yield Alarm("write_failures", "warning", "writes to the disk fail")


def of_disk(free: int, size: int) -> Iterable[Alarm]:
    """Clearly less is free than retention keeps by itself, so that something else fills the disk."""
    if size and free < FREE_SHARE * min(MIN_FREE_SHARE * size, MIN_FREE_MOST):
        yield Alarm("disk", "warning", f"{free / 1e9:.1f} GB ({free / size:.0%}) of the disk are free")


def _dropped(source: str, reason: str, n: int, seconds: float) -> str:
    where = f"{source}: " if source else ""
    why = {
        "disk_slow": "not stored, the disk was too slow (they were analysed)",
        "disk_full": "not stored, the disk is full (they were analysed)",
    }.get(reason, f"dropped ({reason.replace('_', ' ')})")
    return f"{where}{n:,} packets {why} in the last {seconds:.0f} s"
