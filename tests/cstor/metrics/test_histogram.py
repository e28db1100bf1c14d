"""The codec against NumPy on raw values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstor.metrics import histogram as h

durations = st.lists(st.integers(0, 10**13), min_size=1, max_size=200)


def cells_of(groups: list[list[int]]) -> h.Cells:
    owners = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    values = np.array([value for group in groups for value in group], dtype=np.int64)
    return h.build(owners, h.bin_of(values), np.ones(len(values), dtype=np.int64), len(groups))


@given(durations)
def test_it_keeps_quantiles_within_one_percent(values: list[int]) -> None:
    fractions = [0.0, 0.5, 0.95, 0.99, 1.0]
    got = h.quantiles(cells_of([values]), fractions)[0]
    ranks = [sorted(values)[int(np.floor(q * (len(values) - 1)))] for q in fractions]
    low, high = 1e-6, h.value_of(h.LAST_BIN)
    assert got == pytest.approx([min(max(rank * 1e-9, low), high) for rank in ranks], rel=0.0101)


@given(st.lists(durations, min_size=1, max_size=5))
def test_it_merges_as_if_it_had_seen_all(groups: list[list[int]]) -> None:
    merged = h.merge(cells_of(groups), np.zeros(len(groups), dtype=np.int64), 1)
    whole = cells_of([[value for group in groups for value in group]])
    assert merged.pairs.tolist() == whole.pairs.tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 10**7), max_size=9)), max_size=20), st.booleans())
def test_it_merges_the_same_whatever_the_order_of_groups(given: list[tuple[int, list[int]]], in_order: bool) -> None:
    if in_order:
        given = sorted(given, key=lambda pair: pair[0])
    groups = np.array([number for number, _ in given], dtype=np.int64)
    merged = h.merge(cells_of([values for _, values in given]), groups, 40)
    whole = [[value for number, values in given if number == wanted for value in values] for wanted in range(40)]
    assert h.to_flat(merged) == h.to_flat(cells_of(whole))


def test_it_makes_compact_only_what_is_not() -> None:
    cells = h.from_bytes([h.pack([3, 5], [1, 1]), b"", h.pack([5], [2]), h.pack([4], [1])])
    assert h.compact(cells) is cells
    twice = h.from_bytes([h.pack([3], [1]) + h.pack([3], [1]), h.pack([3], [1])])
    assert h.to_flat(h.compact(twice)) == [[3, 2], [3, 1]]
    many = h.from_bytes([h.pack([4], [2 * h.COUNT_MAX])])
    assert h.to_flat(h.compact(many)) == h.to_flat(many)


@given(st.lists(st.lists(st.integers(0, 10**12), max_size=20), min_size=1, max_size=6))
def test_it_survives_bytes_and_flat_lists(groups: list[list[int]]) -> None:
    cells = cells_of(groups)
    for back in (h.from_bytes(h.to_bytes(cells)), h.from_flat(h.to_flat(cells))):
        assert back.lengths.tolist() == cells.lengths.tolist() and back.pairs.tolist() == cells.pairs.tolist()


def test_it_merges_by_concatenation() -> None:
    joined = h.from_bytes([h.pack([5, 9], [1, 2]) + h.pack([5, 7], [10, 1])])
    assert h.to_flat(h.compact(joined)) == [[5, 11, 7, 1, 9, 2]]


def test_it_repeats_the_pair_of_a_large_count() -> None:
    many = 2 * h.COUNT_MAX + 3
    bins, counts = h.unpack(h.pack([4], [many]))
    assert bins.tolist() == [4, 4, 4] and counts.sum() == many


def test_it_puts_a_handshake_of_zero_into_the_first_bin() -> None:
    assert h.bin_of(np.array([0, 1, 1000])).tolist() == [0, 0, 0]
    assert h.bin_of(np.array([1001])).tolist() == [1]


def test_it_has_no_quantile_of_nothing() -> None:
    assert np.isnan(h.quantiles(h.empty(2), [0.5])).all()


def test_it_merges_many_cells_into_few_as_it_does_one_by_one() -> None:
    random = np.random.default_rng(7)
    bins = random.integers(0, 60, 5000)
    counts = random.integers(1, 9, 5000)
    many = h.build(np.sort(random.integers(0, 300, 5000)), bins, counts, 300)
    few = h.merge(many, np.zeros(300, dtype=np.int64), 1)
    assert dict(zip(few.bins.tolist(), few.counts.tolist(), strict=True)) == {
        one: int(counts[bins == one].sum()) for one in np.unique(bins).tolist()
    }
    in_order = h.merge(few, np.zeros(1, dtype=np.int64), 1)
    assert in_order.pairs.tolist() == few.pairs.tolist()
