"""The answer of a query as JSON."""

from __future__ import annotations

import json

import numpy as np

from dashboards.queries.frame import Gap, Series
from tests.dashboards.frames import frame_of, series_of


def test_it_answers_exactly_what_the_contract_says() -> None:
    frame = frame_of(series_of([1.0, np.nan, 2.5]), gaps=(Gap(10, 20, "node was not capturing"),))
    answer = frame.to_json()
    assert set(answer) == {
        "times", "series", "step", "tier", "gaps", "changes", "complete_until", "other_share", "visibility", "warnings",
    }  # fmt: skip
    assert set(answer["series"][0]) == {"keys", "metric", "stat", "unit", "values", "n", "lower_bound"}
    assert answer["gaps"] == [[10, 20, "node was not capturing"]]


def test_it_says_null_for_what_was_not_measurable() -> None:
    answer = frame_of(series_of([1.0, np.nan, np.inf, 0.0])).to_json()
    assert answer["series"][0]["values"] == [1, None, None, 0]
    assert "NaN" not in json.dumps(answer)


def test_it_knows_when_it_is_empty() -> None:
    assert frame_of(series_of([np.nan, np.nan])).is_empty
    assert not frame_of(series_of([np.nan, 0.0])).is_empty
    assert frame_of().is_empty


def test_it_marks_a_compared_series_by_its_keys() -> None:
    past = Series({"monitor": "web"}, "throughput", "rate", "bit/s", np.ones(1), np.ones(1), compared="1d")
    assert past.to_json()["keys"] == {"monitor": "web", "compare": "1d"}
