"""Ranges of time as people write them: "now-1h" to "now", or absolute times in a zone.

A range keeps its words, so that a link to "the last hour" stays the last hour; `resolve` turns them into epoch seconds
at one moment. Absolute times follow RFC 3339; without an offset they are read in the range's zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND_OF = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
MAX_POINTS = 1500
DRAWN_POINTS = 480
LONGEST = 20 * 366 * 86400

QUICK = (
    ("now-5m", "Last 5 minutes"),
    ("now-15m", "Last 15 minutes"),
    ("now-30m", "Last 30 minutes"),
    ("now-1h", "Last 1 hour"),
    ("now-3h", "Last 3 hours"),
    ("now-6h", "Last 6 hours"),
    ("now-12h", "Last 12 hours"),
    ("now-24h", "Last 24 hours"),
    ("now-2d", "Last 2 days"),
    ("now-7d", "Last 7 days"),
    ("now-30d", "Last 30 days"),
    ("now-90d", "Last 90 days"),
    ("now-365d", "Last 365 days"),
)

_RELATIVE = re.compile(r"^now(?:\s*-\s*(\d{1,6})([smhdw]))?(?:/([mhdw]))?$")
_EPOCH = re.compile(r"^\d{1,11}(\.\d+)?$")


class RangeError(ValueError):
    """A range that cannot be understood; the message says which word and what would do."""


@dataclass(frozen=True)
class TimeRange:
    """`start` and `end` as written; `zone` is the IANA name in which absolute times without an offset are read."""

    start: str = "now-1h"
    end: str = "now"
    zone: str = "UTC"

    @property
    def is_relative(self) -> bool:
        return self.end.startswith("now") or self.start.startswith("now")

    @property
    def label(self) -> str:
        """What the picker's button says."""
        for quick, label in QUICK:
            if (self.start, self.end) == (quick, "now"):
                return label
        if self.is_relative:
            return f"{self.start} to {self.end}"
        start, end = self.resolve(datetime.now(UTC))
        return span_text(start, end, self.zone)

    def resolve(self, now: datetime) -> tuple[int, int]:
        """Epoch seconds [start, end) at the moment `now`; RangeError when the end is not after the start."""
        zone = zone_of(self.zone)
        start = int(_moment(self.start, now, zone, "from").timestamp())
        end = int(_moment(self.end, now, zone, "to").timestamp())
        if end <= start:
            raise RangeError(f'the range ends before it begins: from "{self.start}" to "{self.end}"')
        if end - start > LONGEST:
            raise RangeError("a range of more than 20 years is refused; choose a shorter one")
        return start, end


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RangeError(f'unknown time zone "{name}"; use a name such as "UTC" or "Europe/Berlin"') from None


def _moment(text: str, now: datetime, zone: ZoneInfo, name: str) -> datetime:
    text = text.strip()
    match = _RELATIVE.match(text)
    if match:
        amount, letter, rounded = match.groups()
        moment = now - timedelta(seconds=int(amount or 0) * SECOND_OF[letter or "s"])
        return _floor(moment.astimezone(zone), rounded) if rounded else moment
    try:
        if _EPOCH.match(text):
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise RangeError(
            f'"{text}" in "{name}" is not a time; use "now-1h", "2012-03-04T10:00:00Z" or epoch seconds'
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _floor(moment: datetime, unit: str) -> datetime:
    if unit == "m":
        return moment.replace(second=0, microsecond=0)
    if unit == "h":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday()) if unit == "w" else day


def auto_step(seconds: int, finest: int, points: int = DRAWN_POINTS) -> int:
    """The shortest round step, a multiple of `finest`, that cuts `seconds` into at most `points` buckets."""
    for step in STEPS:
        if step % finest == 0 and seconds <= step * points:
            return step
    return STEPS[-1] if STEPS[-1] % finest == 0 else finest


def fitting_step(wanted: int, seconds: int, finest: int) -> int:
    """`wanted` made possible: a multiple of the finest step kept, and never more than MAX_POINTS buckets."""
    step = max(-(-wanted // finest) * finest, finest)
    return step if seconds <= step * MAX_POINTS else auto_step(seconds, finest, MAX_POINTS)


def span_text(start: float, end: float, zone: str = "UTC") -> str:
    """ "2012-03-04 10:00 to 10:05": the day is said once where both ends share it; seconds only where they matter."""
    first, last = (datetime.fromtimestamp(moment, zone_of(zone)) for moment in (start, end))
    clock = "%H:%M:%S" if (first.second or last.second) and end - start < 7200 else "%H:%M"
    same_day = first.date() == last.date()
    return f"{first:%Y-%m-%d} {first.strftime(clock)} to " + (
        last.strftime(clock) if same_day else f"{last:%Y-%m-%d} {last.strftime(clock)}"
    )


def step_text(step: int) -> str:
    """ "10 s", "1 min", "6 h", "1 d"."""
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if step % size == 0:
            return f"{step // size} {name}"
    return f"{step} s"
