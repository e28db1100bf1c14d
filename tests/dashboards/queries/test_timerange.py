"""Ranges of time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboards.queries.timerange import (
    MAX_POINTS,
    RangeError,
    TimeRange,
    auto_step,
    fitting_step,
    span_text,
    step_text,
)

NOW = datetime(2026, 3, 4, 10, 30, 15, tzinfo=UTC)
SECOND = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("now-1h", "now", (SECOND - 3600, SECOND)),
        ("now-90s", "now-30s", (SECOND - 90, SECOND - 30)),
        ("now/d", "now", (SECOND - 37815, SECOND)),
        ("2012-03-04T10:00:00Z", "2012-03-04T10:05:00Z", (1330855200, 1330855500)),
        ("2012-03-04 10:00", "2012-03-04 10:05", (1330855200, 1330855500)),
        ("1330855200", "1330855500.5", (1330855200, 1330855500)),
        ("2012-03-04T10:00:00+02:00", "2012-03-04T10:05:00+02:00", (1330848000, 1330848300)),
    ],
)
def test_it_resolves(start: str, end: str, expected: tuple[int, int]) -> None:
    assert TimeRange(start, end).resolve(NOW) == expected


def test_it_reads_times_without_an_offset_in_the_zone() -> None:
    summer = TimeRange("2026-07-01 12:00", "2026-07-01 13:00", "Europe/Berlin")
    assert summer.resolve(NOW)[0] == int(datetime(2026, 7, 1, 10, 0, tzinfo=UTC).timestamp())


def test_it_keeps_midnight_in_the_zone() -> None:
    start, _ = TimeRange("now/d", "now", "Europe/Berlin").resolve(NOW)
    assert datetime.fromtimestamp(start, UTC).hour == 23


@pytest.mark.parametrize(
    ("start", "end", "zone", "words"),
    [
        ("yesterday", "now", "UTC", '"yesterday" in "from" is not a time'),
        ("now-1h", "soon", "UTC", '"soon" in "to" is not a time'),
        ("now", "now-1h", "UTC", "ends before it begins"),
        ("now-1h", "now", "Mars/Olympus", 'unknown time zone "Mars/Olympus"'),
        ("now-99999d", "now", "UTC", "more than 20 years"),
        ("9" * 30, "now", "UTC", "is not a time"),
    ],
)
def test_it_says_what_is_wrong(start: str, end: str, zone: str, words: str) -> None:
    with pytest.raises(RangeError, match=words):
        TimeRange(start, end, zone).resolve(NOW)


@pytest.mark.parametrize("seconds", [60, 3600, 86400, 7 * 86400, 365 * 86400])
@pytest.mark.parametrize("finest", [1, 10, 60, 600, 3600, 86400])
def test_it_chooses_a_step_on_the_tier_and_within_the_points(seconds: int, finest: int) -> None:
    step = auto_step(seconds, finest)
    assert step % finest == 0
    assert seconds / step <= MAX_POINTS


def test_it_never_goes_below_what_is_kept_nor_above_the_points() -> None:
    assert fitting_step(1, 600, 10) == 10
    assert fitting_step(15, 600, 10) == 20
    assert 86400 / fitting_step(1, 86400, 1) <= MAX_POINTS


def test_it_writes_a_span_with_the_day_once() -> None:
    assert span_text(1330855200, 1330855500) == "2012-03-04 10:00 to 10:05"
    assert span_text(1330855200, 1330941600) == "2012-03-04 10:00 to 2012-03-05 10:00"
    assert span_text(1330855201, 1330855500) == "2012-03-04 10:00:01 to 10:05:00"


def test_it_labels_quick_ranges_by_name() -> None:
    assert TimeRange("now-1h").label == "Last 1 hour"
    assert TimeRange("now-7m").label == "now-7m to now"


@pytest.mark.parametrize(
    ("step", "text"), [(10, "10 s"), (60, "1 min"), (5400, "90 min"), (7200, "2 h"), (86400, "1 d")]
)
def test_it_writes_steps(step: int, text: str) -> None:
    assert step_text(step) == text
