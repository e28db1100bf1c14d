"""Times that people type for a stretch of history: a date, a date with a time, RFC 3339, or epoch seconds; in UTC."""

from __future__ import annotations

import datetime as dt

from monitors.series.tiers import UTC

LATEST = 253_402_300_800  # the year 10000


class TimeProblem(ValueError):
    """What is wrong with a time, in words."""


def range_of(start: str, stop: str) -> tuple[int | None, int | None]:
    """[start, stop) in epoch seconds; what is left empty is open."""
    low, high = _second(start, "from"), _second(stop, "to")
    if low is not None and high is not None and low >= high:
        raise TimeProblem("'from' has to be before 'to'.")
    return low, high


def _second(text: str, name: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    try:
        second = float(text)
    except ValueError:
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            words = "write it as 2026-03-04 10:00 (UTC), with a zone as 2026-03-04T10:00+01:00, or as epoch seconds"
            raise TimeProblem(f"'{name}' is no time: {words}.") from None
        second = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= second < LATEST:
        raise TimeProblem(f"'{name}' is not between 1970 and 9999.")
    return int(second)
