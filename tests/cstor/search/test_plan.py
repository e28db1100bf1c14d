from __future__ import annotations

from pathlib import Path

from cstor.search.plan import make_plan, names_of
from tests.cstor.search.stores import NOON, SECOND, add_segment, numbered
from wire.filters.grammar import parse
from wire.filters.packets import PacketFilter
from wire.packets.layout import LINK_ETHERNET, LINK_RAW

EVERYTHING = PacketFilter(parse(""))


def _at(*seconds: int) -> list[tuple[int, bytes]]:
    return [(NOON + second * SECOND, numbered(second)) for second in seconds]


def test_it_groups_segments_whose_times_overlap(tmp_path: Path) -> None:
    for sequence, seconds in enumerate(((0, 10), (5, 6), (10, 12), (13, 14), (20, 30), (25, 26))):
        add_segment(tmp_path, sequence, _at(*seconds))
    groups = make_plan(tmp_path, EVERYTHING, None, None).groups()
    starts = [[(segment.first_ns - NOON) // SECOND for segment in group] for group in groups]
    assert starts == [[0, 5, 10], [13], [20, 25]]


def test_it_counts_what_will_be_read(tmp_path: Path) -> None:
    first = add_segment(tmp_path, 1, _at(0, 1, 2))
    add_segment(tmp_path, 2, _at(100, 101))
    plan = make_plan(tmp_path, EVERYTHING, NOON, NOON + 50 * SECOND)
    assert (len(plan.segments), plan.packets, plan.bytes) == (1, 3, first.bytes_valid)
    assert make_plan(tmp_path, EVERYTHING, NOON + 90 * SECOND, None).kept_from_ns == NOON


def test_it_names_link_types() -> None:
    assert names_of([LINK_RAW, LINK_ETHERNET]) == "Ethernet, raw IP"
