"""What could be measured when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitors.intervals import Intervals
from monitors.series.coverage import Missing, Watch, complete_until, measured_share, missing


def watch(covered: Intervals, observed: Intervals | None = None, node: str = "a", lost: Intervals = ()) -> Watch:
    return Watch(1, ord(node), node, covered, observed, lost, 10)


def test_it_is_complete_up_to_the_slowest_node_that_keeps_up() -> None:
    assert complete_until([watch(((0, 1000),)), watch(((0, 990),), node="b")]) == 990
    assert complete_until([watch(((0, 1000),)), watch(((0, 500),), node="b")]) == 1000
    assert complete_until([]) is None


def test_it_says_why_a_node_is_missing() -> None:
    one = watch(((0, 100), (200, 1000)), observed=((0, 600), (700, 1000)), lost=((120, 150),))
    assert missing([one], 50, 2000) == [
        Missing(100, 120, ord("a"), "not yet fetched from a", "unfetched"),
        Missing(120, 150, ord("a"), "a no longer keeps this time", "lost"),
        Missing(150, 200, ord("a"), "not yet fetched from a", "unfetched"),
        Missing(600, 700, ord("a"), "a was not capturing", "idle"),
    ]


def test_it_says_that_a_node_is_down() -> None:
    up, down = watch(((0, 1000),)), watch(((0, 500),), node="b")
    assert missing([up, down], 0, 2000) == [Missing(500, 1000, ord("b"), "b has not answered", "down")]
    failing = replace(down, error="connection refused")
    assert missing([up, failing], 0, 2000)[0].reason == "b is down: connection refused"


def test_it_misses_no_node_that_is_not_asked_any_more() -> None:
    up, gone = watch(((0, 1000),)), replace(watch(((0, 500), (600, 700)), node="b"), asked=False)
    assert missing([up, gone], 0, 2000) == [Missing(500, 600, ord("b"), "not yet fetched from b", "unfetched")]
    assert complete_until([up, replace(gone, covered=((0, 995),))]) == 1000
    assert measured_share(gone, np.arange(400, 900, 100), 100).tolist()[:3] == [1, 0, 1]
    assert np.isnan(measured_share(gone, np.arange(400, 900, 100), 100)[3:]).all()


def test_it_counts_nothing_before_the_first_second_nor_after_the_last() -> None:
    both = [watch(((0, 1000),)), watch(((400, 1000),), node="b")]
    assert missing(both, 0, 5000) == []


def test_it_judges_each_monitor_by_itself() -> None:
    old = Watch(2, 7, "capture", ((0, 100),), None, (), 10)
    assert missing([old, watch(((0, 10_000),))], 0, 10_000) == []


@pytest.mark.parametrize(
    ("covered", "expected"),
    [
        (((0, 40),), [1, 1, 1, 1]),
        (((0, 15),), [1, 0.5, 0, 0]),
        (((0, 12), (18, 33)), [1, 0.4, 1, 0.3]),
        (((5, 40),), [0.5, 1, 1, 1]),
        (((25, 40),), [np.nan, np.nan, 0.5, 1]),
    ],
)
def test_it_measures_the_share_of_each_bucket(covered: Intervals, expected: list[float]) -> None:
    times = np.arange(0, 40, 10)
    np.testing.assert_allclose(measured_share(watch(covered), times, 10), expected)


def test_it_needs_both_fetched_and_captured() -> None:
    share = measured_share(watch(((0, 40),), observed=((0, 10), (20, 30))), np.arange(0, 40, 10), 10)
    assert share.tolist() == [1, 0, 1, 0]
