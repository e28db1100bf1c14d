"""Which windows are due: the newest first, bounded, on the step, nothing twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.intervals import intersect, length, normalized, subtract, union
from monitors.pulls.plan import (
    PROBE_STEP_S,
    WINDOW_BUCKETS,
    Extent,
    Probe,
    State,
    Window,
    merged_revisions,
    next_run,
    plan,
    quiet,
    retry_delay_s,
)

NOW = 1_760_004_000
HOUR = 3600


def windows(
    state: State, extent: Extent, now: float = NOW, step: int = 10, backfill: int = 50
) -> list[tuple[int, int]]:
    return [(window.start, window.stop) for window in plan(state, extent, now, step, backfill).windows]


def test_it_starts_a_new_monitor_at_the_present_and_goes_back() -> None:
    assert windows(State(), Extent(oldest=NOW - 2 * HOUR)) == [(NOW - HOUR, NOW), (NOW - 2 * HOUR, NOW - HOUR)]


def test_it_starts_at_the_last_bucket_of_an_empty_node() -> None:
    assert windows(State(), Extent()) == [(NOW - 10, NOW)]
    assert windows(State(covered=((NOW - 100, NOW - 20),)), Extent()) == [(NOW - 20, NOW)]


def test_it_asks_for_whole_steps_only() -> None:
    assert windows(State(), Extent(oldest=NOW - 95), now=NOW + 7.9) == [(NOW - 100, NOW)]
    assert windows(State(covered=((NOW - 100, NOW),)), Extent(oldest=NOW - 100), now=NOW + 7.9) == []


def test_it_fetches_the_present_first_after_an_outage() -> None:
    state = State(covered=((NOW - 9 * HOUR, NOW - 5 * HOUR),))
    found = windows(state, Extent(oldest=NOW - 9 * HOUR), backfill=2)
    assert found == [(NOW - HOUR, NOW), (NOW - 2 * HOUR, NOW - HOUR), (NOW - 3 * HOUR, NOW - 2 * HOUR)]
    assert plan(state, Extent(oldest=NOW - 9 * HOUR), NOW, 10, 2).behind


def test_it_fetches_only_the_present_without_budget() -> None:
    state = State(covered=((NOW - 9 * HOUR, NOW - 5 * HOUR),))
    assert windows(state, Extent(oldest=NOW - 9 * HOUR), backfill=0) == [(NOW - HOUR, NOW)]
    assert windows(State(covered=((NOW - HOUR, NOW),)), Extent(oldest=NOW - 2 * HOUR), backfill=0) == []


@pytest.mark.parametrize(("step", "span"), [(1, 360), (10, 3600), (60, 21_600)])
def test_it_bounds_windows_by_the_step(step: int, span: int) -> None:
    found = windows(State(), Extent(oldest=NOW - 4 * span), step=step)
    assert max(stop - start for start, stop in found) == span
    assert all(start % step == 0 for start, _ in found)


def test_it_asks_a_store_of_captures_for_what_it_has() -> None:
    extent = Extent(oldest=925_000_003, newest=925_000_291, complete_until=925_000_292)
    assert windows(State(), extent) == [(925_000_000, 925_000_300)]
    assert windows(State(covered=((925_000_000, 925_000_300),)), extent) == []


def test_it_follows_a_clock_that_runs_ahead_by_a_day_at_most() -> None:
    assert windows(State(), Extent(oldest=NOW + 10, ahead_s=30))[0][1] == NOW + 30
    assert windows(State(), Extent(oldest=NOW + 10, newest=NOW + 10**7))[0][1] == NOW + 86_400


def test_it_takes_for_lost_what_lies_before_the_nodes_data() -> None:
    state = State(covered=((NOW - 9 * HOUR, NOW - 8 * HOUR), (NOW - 6 * HOUR, NOW - 5 * HOUR)))
    found = plan(state, Extent(oldest=NOW - 2 * HOUR), NOW, 10, 50)
    assert found.lost == ((NOW - 8 * HOUR, NOW - 6 * HOUR), (NOW - 5 * HOUR, NOW - 2 * HOUR))


def test_it_asks_nothing_of_what_is_lost_or_frozen() -> None:
    state = State(lost=((NOW - 3 * HOUR, NOW - 2 * HOUR),), frozen=((NOW - 2 * HOUR, NOW - HOUR),))
    assert windows(state, Extent(oldest=NOW - 3 * HOUR)) == [(NOW - HOUR, NOW)]


def test_it_looks_over_long_gaps_once() -> None:
    extent = Extent(oldest=NOW - 40 * HOUR)
    found = plan(State(), extent, NOW, 10, 50)
    assert found.probes == (Probe(NOW - 40 * HOUR, NOW - HOUR),)
    assert [(window.start, window.stop) for window in found.windows] == [(NOW - HOUR, NOW)]
    again = plan(State(probed=((NOW - 40 * HOUR, NOW - HOUR),)), extent, NOW, 10, 50)
    assert again.probes == ()
    assert len(again.windows) == 40


def test_it_takes_the_bucket_after_a_busy_one_for_busy() -> None:
    probe = Probe(0, 10 * PROBE_STEP_S)
    step = PROBE_STEP_S
    assert quiet(probe, [0, step, 5 * step]) == ((3 * step, 5 * step), (7 * step, 10 * step))
    assert quiet(probe, []) == ((0, 10 * step),)


def test_it_replaces_the_covered_part_of_an_hour_that_changed() -> None:
    hour = NOW - 5 * HOUR
    state = State(covered=((hour - 100, hour + 1800), (hour + 2000, NOW)), revisions={str(hour): [0, 2]})
    found = plan(state, Extent(oldest=hour - 100), NOW, 10, 50)
    assert Window(hour, hour + 1800, replace=True) in found.windows
    assert Window(hour + 2000, hour + 3600, replace=True) in found.windows
    assert Window(hour + 1800, hour + 2000) in found.windows


@given(
    covered=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2000)), max_size=6),
    oldest=st.integers(0, 2000),
    backfill=st.integers(0, 5),
)
def test_it_covers_everything_in_the_end_and_nothing_twice(
    covered: list[tuple[int, int]], oldest: int, backfill: int
) -> None:
    """Answered again and again, a plan ends with all there is, whatever was covered before."""
    start = normalized((low * 10, high * 10) for low, high in covered)
    state, extent, now = State(covered=start), Extent(oldest=oldest * 10), 2000 * 10.0
    for _ in range(300):
        found = plan(state, extent, now, 10, max(1, backfill))
        asked = [(window.start, window.stop) for window in found.windows]
        for pair in asked:
            assert intersect([pair], state.covered) == ()
            assert pair[1] - pair[0] <= WINDOW_BUCKETS * 10
        assert length(asked) == length(normalized(asked)), "no window overlaps another"
        probed = normalized((probe.start, probe.stop) for probe in found.probes)
        if not asked and not probed:
            break
        state = State(covered=union(state.covered, asked), probed=union(state.probed, probed))
    assert subtract([(oldest * 10, 20_000)], state.covered) == ()


def test_it_remembers_revisions_as_they_were_pulled() -> None:
    told = {"3600": 2, "7200": 1}
    assert merged_revisions({}, told, (), ((3600, 7200),), ()) == {"3600": [2, 2]}
    assert merged_revisions({}, told, ((3600, 3700),), ((3700, 7200),), ()) == {"3600": [0, 2]}, "half of it was older"
    assert merged_revisions({"3600": [1, 1]}, told, ((3600, 7200),), (), ()) == {"3600": [1, 2]}
    replaced = ((3600, 7200),)
    assert merged_revisions({"3600": [1, 2]}, told, replaced, replaced, replaced) == {"3600": [2, 2]}
    assert merged_revisions({}, {}, ((0, 7200),), (), ()) == {}


def test_it_spreads_pulls_over_their_interval() -> None:
    due = sorted(next_run(NOW, 10, monitor, node) - NOW for monitor in range(50) for node in range(4))
    assert due[0] > 0
    assert due[-1] <= 10
    assert max(later - earlier for earlier, later in pairwise(due)) < 1
    assert next_run(NOW + 1, 60, 7, 1) - next_run(NOW - 59, 60, 7, 1) == pytest.approx(60)


def test_it_backs_off_up_to_five_minutes() -> None:
    assert [retry_delay_s(n, 10) for n in (1, 2, 3, 20)] == [5, 10, 20, 300]
