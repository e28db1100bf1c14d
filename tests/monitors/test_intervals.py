"""Sets of seconds against plain Python sets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitors.fields import from_multirange, to_multirange
from monitors.intervals import Interval, clip, inner, intersect, length, normalized, outer, subtract, union

pairs = st.lists(st.tuples(st.integers(-30, 60), st.integers(-30, 60)), max_size=6)


def seconds(intervals: tuple[Interval, ...] | list[Interval]) -> set[int]:
    return {second for start, stop in intervals for second in range(start, stop)}


@given(pairs, pairs)
def test_it_agrees_with_sets(one: list[Interval], other: list[Interval]) -> None:
    left, right = seconds(normalized(one)), seconds(normalized(other))
    assert left == seconds(one)
    assert seconds(union(one, other)) == left | right
    assert seconds(subtract(one, other)) == left - right
    assert seconds(intersect(one, other)) == left & right
    assert seconds(clip(one, 0, 20)) == left & set(range(20))
    assert length(normalized(one)) == len(left)


@given(pairs, pairs)
def test_it_keeps_one_form(one: list[Interval], other: list[Interval]) -> None:
    for found in (normalized(one), union(one, other), subtract(one, other), intersect(one, other)):
        assert found == normalized(found)
        assert all(first[1] < second[0] for first, second in pairwise(found))


@given(pairs)
def test_it_survives_the_way_to_the_database(one: list[Interval]) -> None:
    found = normalized(one)
    assert from_multirange(to_multirange(found)) == found


def test_it_rounds_to_steps() -> None:
    assert inner((3, 27), 10) == (10, 20)
    assert inner((11, 19), 10) == (20, 20)
    assert outer((3, 27), 10) == (0, 30)
    assert outer((10, 20), 10) == (10, 20)
