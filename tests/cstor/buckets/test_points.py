"""Links: what a plain loop over the packets counts, in whatever order they come and however many VNIs there are."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cstor.buckets.points import POINT, ROWS, Points
from wire.packets.layout import empty_packet

T = 1_700_000_000
MS = 1_000_000
SECOND = 1000 * MS

packet = st.tuples(
    st.integers(0, 3 * SECOND - 1),  # when
    st.sampled_from([-1, 0, 7, 2**24 - 1]),  # VNI
    st.integers(0, 9000),  # IP length, 0 not IP
    st.booleans(),  # truncated
)


def records(packets: list[tuple[int, int, int, bool]]) -> np.ndarray:
    out = np.repeat(empty_packet(), len(packets))
    for record, (at, vni, length, is_truncated) in zip(out, packets, strict=True):
        record["time_ns"], record["vni"], record["ip_length"] = T * SECOND + at, vni, length
        record["version"] = 4 if length else 0
        record["wire_length"], record["captured"] = length + 60, length + 60 - is_truncated
    return out


def naive(packets: list[tuple[int, int, int, bool]]) -> dict[tuple[int, int, int], list[int]]:
    rows: dict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    bursts: dict[tuple[int, int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    vnis: dict[int, set[int]] = defaultdict(set)
    for at, vni, length, is_truncated in packets:
        second = T + at // SECOND
        vnis[second].add(vni)
        row = rows[(second, vni, 0)]
        row[0] += length > 0
        row[1] += length
        row[3] += is_truncated
        for key in ((second, vni, 0), (second, -1, 1)):
            bursts[key][at // MS] += length
    for second, found in vnis.items():
        if len(found) > 1:
            rows[(second, -1, 1)] = [0, 0, 0, 0]
    for key, row in rows.items():
        row[2] = max(bursts[key].values())
    return dict(rows)


def as_rows(points: np.ndarray | None) -> dict[tuple[int, int, int], list[int]]:
    assert points is not None and points.dtype == POINT
    found = {}
    for t, vni, is_link, count, size, burst, truncated, _ in points.tolist():
        assert (t, vni, is_link) not in found
        found[(t, vni, is_link)] = [count, size, burst, truncated]
    return found


@given(st.lists(packet, min_size=1, max_size=60), st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_it_counts_as_a_plain_loop_does(packets: list[tuple[int, int, int, bool]], batch: int) -> None:
    points = Points()
    for start in range(0, len(packets), batch):
        points.add(records(packets[start : start + batch]))
    assert as_rows(points.take()) == naive(packets)
    assert points.take() is None


@given(st.lists(packet, min_size=1, max_size=60))
@settings(deadline=None, max_examples=30)
def test_it_hands_out_each_second_once(packets: list[tuple[int, int, int, bool]]) -> None:
    packets.sort()
    points, found = Points(), []
    for one in packets:
        points.add(records([one]))
        found.append(points.take(T + one[0] // SECOND))
    found.append(points.take())
    assert as_rows(np.concatenate([some for some in found if some is not None])) == naive(packets)


def test_it_hands_out_early_what_does_not_fit() -> None:
    vnis = ROWS + 500
    points = Points()
    points.add(records([(n, n % vnis, 100, False) for n in range(2 * vnis)]))
    rows = points.take()
    assert rows is not None
    assert int(rows["packets"].sum()) == 2 * vnis
    assert set(rows["vni"][rows["is_link"] == 0].tolist()) == set(range(vnis))


def test_it_puts_drops_where_no_vni_is_known() -> None:
    points = Points()
    points.add(records([(5, 7, 100, False)]))
    points.add_drops(T, 3)
    points.add_drops(T + 1, 4)
    points.add_drops(T, 1)
    first = points.take(T + 1)
    assert first is not None
    assert sorted(zip(first["t"], first["vni"], first["drops"], strict=True)) == [(T, -1, 4), (T, 7, 0)]
    second = points.take()
    assert second is not None and second["drops"].tolist() == [4]


@pytest.mark.parametrize("time_ns", [0, 1, 2**62])
def test_it_takes_any_time(time_ns: int) -> None:
    packets = records([(0, -1, 100, False)])
    packets["time_ns"] = time_ns
    points = Points()
    points.add(packets)
    rows = points.take()
    assert rows is not None and rows["t"].tolist() == [time_ns // SECOND]
