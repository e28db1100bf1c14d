"""Which tier answers which part of a range."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitors.intervals import length, normalized
from monitors.series.slices import Slice, plan
from monitors.series.tiers import RUN_S, tiers_of

DAY = 86_400


def test_it_takes_whole_clean_hours_from_the_hour_and_the_edges_from_below() -> None:
    pieces = plan(3000, 11_400, 600, tiers_of(10), {})
    assert pieces == [Slice(600, 3000, 11_400)]
    pieces = plan(3000, 11_400, 3600, tiers_of(10), {})
    assert pieces == [Slice(600, 3000, 3600), Slice(3600, 3600, 10_800), Slice(600, 10_800, 11_400)]


def test_it_takes_a_dirty_run_from_the_finer_tier() -> None:
    pieces = plan(0, 3600, 60, tiers_of(10), {60: ((1200, 1800),)})
    assert pieces == [Slice(60, 0, 1200), Slice(10, 1200, 1800), Slice(60, 1800, 3600)]


def test_it_uses_only_tiers_that_divide_the_step() -> None:
    assert plan(0, 3600, 90, tiers_of(10), {}) == [Slice(10, 0, 3600)]
    assert plan(0, DAY, 0, tiers_of(10), {}) == [Slice(DAY, 0, DAY)]


@given(
    st.sampled_from((1, 10, 60)),
    st.integers(0, 40 * DAY // 600),
    st.integers(1, 9 * DAY // 600),
    st.sampled_from((600, 3600, DAY)),
    st.lists(st.tuples(st.sampled_from((60, 600, 3600, DAY)), st.integers(0, 200)), max_size=12),
)
def test_it_covers_every_second_once_and_never_reads_what_is_dirty(
    resolution: int, first: int, count: int, step: int, waiting: list[tuple[int, int]]
) -> None:
    start, end = first * 600, (first + count) * 600
    runs = [(tier, n * RUN_S[tier], (n + 1) * RUN_S[tier]) for tier, n in waiting]
    dirty = {tier: normalized((low, high) for of, low, high in runs if of <= tier) for tier in RUN_S}
    pieces = plan(start, end, step, tiers_of(resolution), dirty)
    assert sum(piece.end - piece.start for piece in pieces) == end - start
    assert length(normalized((piece.start, piece.end) for piece in pieces)) == end - start
    for piece in pieces:
        assert piece.tier == resolution or step % piece.tier == 0
        if piece.tier != resolution:
            assert piece.start % piece.tier == piece.end % piece.tier == 0
            for low, high in dirty.get(piece.tier, ()):
                assert piece.end <= low or high <= piece.start
