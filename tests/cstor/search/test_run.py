"""Searches over segments: order, range, limits, and segments that change meanwhile."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cstor.search.run import search
from tests.captures import CAPTURES, needs_captures
from tests.cstor.search.stores import NOON, SECOND, add_segment, answer, ethernet, numbered, tcp
from wire.filters.grammar import FilterError, FilterRefused
from wire.packets.capturefile import CaptureError
from wire.packets.layout import LINK_RAW
from wire.packets.pcap import open_capture


def frames(*numbers: int, every_ns: int = SECOND) -> list[tuple[int, bytes]]:
    """One frame per number, at noon and that many steps."""
    return [(NOON + number * every_ns, numbered(number)) for number in numbers]


def test_it_joins_segments_that_follow_one_another(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(0, 1, 2))
    add_segment(tmp_path, 2, frames(3, 4))
    assert [number for _, number in answer(search(tmp_path))] == [0, 1, 2, 3, 4]


def test_it_merges_segments_whose_times_overlap(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(*range(0, 100, 3)))
    add_segment(tmp_path, 2, frames(*range(1, 100, 3)), live=True)
    add_segment(tmp_path, 3, frames(*range(50, 200, 3)))
    found = answer(search(tmp_path))
    assert found == sorted(found)
    assert sorted(number for _, number in found) == sorted([*range(0, 100, 3), *range(1, 100, 3), *range(50, 200, 3)])


def test_it_sorts_a_segment_that_is_out_of_order(tmp_path: Path) -> None:
    numbers = list(range(5000))
    random.Random(3).shuffle(numbers)
    add_segment(tmp_path, 1, frames(*numbers, every_ns=1000))
    add_segment(tmp_path, 2, frames(4990, 5000, 5001, every_ns=1000))
    found = answer(search(tmp_path))
    assert [time for time, _ in found] == sorted(time for time, _ in found)
    assert len(found) == 5003


def test_it_merges_link_types(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(0, 2, 4))
    add_segment(tmp_path, 2, [(NOON + n * SECOND, numbered(n, LINK_RAW)) for n in (1, 3, 5)], LINK_RAW)
    assert [number for _, number in answer(search(tmp_path))] == [0, 1, 2, 3, 4, 5]


def test_it_takes_the_range_from_its_start_to_before_its_end(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(*range(10)))
    found = search(tmp_path, "", NOON + 2 * SECOND, NOON + 5 * SECOND)
    assert [number for _, number in answer(found)] == [2, 3, 4]
    assert search(tmp_path, "", NOON + 2 * SECOND, NOON + 5 * SECOND).count() == 3


def test_it_reads_a_growing_segment_to_its_last_whole_record(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(0, 1), live=True, torn=b"\x01\x02\x03" * 9)
    assert [number for _, number in answer(search(tmp_path))] == [0, 1]


def test_it_selects_by_the_filter(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(*range(10)))
    assert [number for _, number in answer(search(tmp_path, "src portrange 10003-10005"))] == [3, 4, 5]
    assert search(tmp_path, "src portrange 10003-10005").count() == 3


def test_it_stops_at_a_number_of_packets(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(*range(10)))
    found = search(tmp_path, "", max_packets=4)
    assert [number for _, number in answer(found)] == [0, 1, 2, 3]
    assert (found.packets, found.limit) == (4, "max_packets")
    exact = search(tmp_path, "", max_packets=10)
    assert len(answer(exact)) == 10
    assert exact.limit == ""
    assert search(tmp_path, "", max_packets=4).count() == 4


def test_it_stops_before_a_number_of_bytes(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, [(NOON + n, numbered(n, size=30)) for n in range(10)])
    record = 16 + 14 + 40 + 30
    found = search(tmp_path, "", max_bytes=3 * record + 1)
    assert [number for _, number in answer(found)] == [0, 1, 2]
    assert (found.bytes, found.limit) == (3 * record, "max_bytes")


def test_it_counts_without_order_what_it_would_hand_out(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(5, 3, 4))
    add_segment(tmp_path, 2, frames(1, 2, 9))
    found = search(tmp_path, "tcp")
    assert found.count() == 6
    assert found.bytes == 6 * (16 + 54)
    assert found.scanned == 6


def test_it_asks_for_roles_over_segments(tmp_path: Path) -> None:
    """The SYN in the first segment makes the sender of the lower port the client in the second too."""
    syn = tcp("10.0.0.1", "10.0.0.2", 500, 4000, flags=2)
    reply = tcp("10.0.0.2", "10.0.0.1", 4000, 500)
    add_segment(tmp_path, 1, [(NOON, ethernet(syn))])
    add_segment(tmp_path, 2, [(NOON + SECOND, ethernet(reply))])
    assert search(tmp_path, "client host 10.0.0.1 and server port 4000").count() == 2
    assert search(tmp_path, "server host 10.0.0.1").count() == 0
    assert search(tmp_path, "server host 10.0.0.1", NOON + SECOND).count() == 1  # without the SYN: the lower port


def test_it_leaves_out_link_types_that_a_filter_cannot_be_asked_of(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(0))
    add_segment(tmp_path, 2, [(NOON, numbered(1, LINK_RAW))], LINK_RAW)
    found = search(tmp_path, "not vlan 7")
    assert found.count() == 1
    assert found.plan.left_out == ("raw IP: no VLAN support for Raw IP",)


def test_it_refuses_a_filter_that_fits_no_segment(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, [(NOON, numbered(1, LINK_RAW))], LINK_RAW)
    with pytest.raises(FilterRefused, match="no VLAN support"):
        search(tmp_path, "vlan 7")


def test_it_points_at_what_is_wrong_in_a_filter(tmp_path: Path) -> None:
    with pytest.raises(FilterError, match="column 5"):
        search(tmp_path, "tcp prot 80")


def test_it_fails_when_retention_removes_what_it_planned_to_read(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, frames(0))
    gone = add_segment(tmp_path, 2, frames(1))
    found = iter(search(tmp_path))
    next(found)
    gone.path.unlink()
    with pytest.raises(CaptureError, match="retention"):
        next(found)


def test_it_finds_nothing_in_an_empty_store(tmp_path: Path) -> None:
    found = search(tmp_path, "tcp")
    assert answer(found) == []
    assert found.plan.kept_from_ns is None


@needs_captures
@pytest.mark.parametrize("name", ["mixed-loss-257-flows-unordered.pcap", "vxlan-4-flows.pcap"])
def test_it_hands_out_a_stored_capture_unchanged(tmp_path: Path, name: str) -> None:
    assert CAPTURES
    packets = []
    for batch in open_capture(CAPTURES / name):
        packets += [(int(batch.time_ns[i]), batch.frame(i)) for i in range(batch.packets)]
    add_segment(tmp_path, 1, packets)
    found = [(int(batch.time_ns[i]), batch.frame(i)) for batch in search(tmp_path) for i in range(batch.packets)]
    assert found == sorted(packets, key=lambda packet: packet[0])
