"""Addresses, groups, intervals, times as text: the small arithmetic that everything stands on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstor.store import address
from cstor.store.grouping import group_rows
from cstor.store.ledger import clipped, united, without_hour
from cstor.store.timetext import parse_time_ns, time_text


@given(st.ip_addresses())
def test_addresses_survive_all_their_forms(ip) -> None:
    packed = address.from_text(str(ip))
    pair = address.from_bytes([packed])
    assert address.to_bytes(pair[:, 0], pair[:, 1]) == [packed]
    mapped = ip.version == 6 and packed[:12] == address.V4_PREFIX
    assert mapped or address.to_text(packed) == str(ip)


@given(st.ip_addresses())
def test_networks_hold_their_addresses(ip) -> None:
    packed = address.from_text(str(ip))
    net = address.net_text(packed)
    pair = address.from_bytes([packed])
    hi, lo = address.net_of(pair[:, 0], pair[:, 1])
    assert address.to_bytes(hi, lo) == [address.net_from_text(net)]


@pytest.mark.parametrize("text", ["10.0.0.0/8", "2001:db8::/32", "nonsense", ""])
def test_only_nets_of_our_size_are_keys(text: str) -> None:
    with pytest.raises(ValueError):
        address.net_from_text(text)


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(-(1 << 63), (1 << 63) - 1)), max_size=60))
def test_rows_are_grouped_as_a_dictionary_would(rows) -> None:
    matrix = np.array(rows, np.int64).reshape(len(rows), 3)
    groups = group_rows(matrix)
    assert len(groups.first) == len(set(rows))
    for row, number in zip(rows, groups.number.tolist(), strict=True):
        assert tuple(matrix[groups.first[number]].tolist()) == row


def test_a_matrix_without_columns_is_one_group() -> None:
    assert group_rows(np.zeros((3, 0), np.int64)).number.tolist() == [0, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50))))
def test_intervals_unite_to_the_same_points(pairs) -> None:
    points = {n for start, end in pairs for n in range(start, end)}
    found = united(pairs)
    assert {n for start, end in found for n in range(start, end)} == points
    assert all(a[1] < b[0] for a, b in itertools.pairwise(found))
    assert {n for start, end in clipped(found, 10, 30) for n in range(start, end)} == {
        n for n in points if 10 <= n < 30
    }


def test_an_hour_can_be_taken_out() -> None:
    assert without_hour([(0, 10_000)], 3600) == [(0, 3600), (7200, 10_000)]
    assert without_hour([(3600, 7200)], 3600) == []
    assert without_hour([(0, 10)], 3600) == [(0, 10)]


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("0", 0),
        ("1700000000.5", 1_700_000_000_500_000_000),
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
        ("2023-11-14T23:13:20.25+01:00", 1_700_000_000_250_000_000),
        ("2023-11-14 22:13:20Z", 1_700_000_000_000_000_000),
        ("2023-11-14T23:13:20 01:00", 1_700_000_000_000_000_000),  # a plus that a URL has made a blank
    ],
)
def test_times_are_read_exactly(text: str, time_ns: int) -> None:
    assert parse_time_ns(text) == time_ns


@pytest.mark.parametrize("text", ["", "now", "2023-13-01T00:00:00Z", "2023-01-01", "-5", "1e9", "2023-01-01T00:00:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_time_ns(text)


def test_times_are_written_in_utc() -> None:
    assert time_text(1_700_000_000) == "2023-11-14T22:13:20Z"
