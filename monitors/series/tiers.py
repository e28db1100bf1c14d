"""The tiers of samples: one table per step, what each is folded from, in which runs, cut into which partitions.

A monitor's base tier is its resolution; the tiers above it are folded from the next finer one in whole runs. A run
that may differ from its source stands in `monitors_rollup` (written by the transaction that wrote the rows): while it
stands there a reader takes that run from the finer tier.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

UTC = dt.UTC
DAY_S = 86_400

RESOLUTIONS = (1, 10, 60)
ROLLUPS = (60, 600, 3600, 86_400)
STEPS = (1, 10, 60, 600, 3600, 86_400)

# Seconds that are folded and rewritten at once, rows sorted by group then time. Short enough that the unfinished
# run, which is read from the finer tier, stays cheap; long enough that one series touches few pages.
RUN_S = {60: 600, 600: 3600, 3600: 21_600, 86_400: DAY_S}

TOTAL_GROUP = 0
OTHER_GROUP = 1
ALL_NODES = 0


def tiers_of(resolution: int, steps: Collection[int] = ROLLUPS) -> tuple[int, ...]:
    """The tiers a monitor of this resolution has, finest first; `steps` are the roll-ups that it keeps."""
    return (resolution, *(step for step in ROLLUPS if step > resolution and step in steps))


def source_of(step: int, tiers: tuple[int, ...]) -> int:
    """The tier that `step` is folded from, of those that a monitor has."""
    return tiers[tiers.index(step) - 1]


def run_of(step: int, t: int) -> int:
    """Start of the run of tier `step` that holds second `t`."""
    return t // RUN_S[step] * RUN_S[step]


def table_of(step: int) -> str:
    return f"samples_{step}"


def partition_name(step: int, lower: int) -> str:
    moment = dt.datetime.fromtimestamp(lower, UTC)
    return f"{table_of(step)}_{moment:%Y%m%d_%H}" if step == 1 else f"{table_of(step)}_{moment:%Y%m%d}"


def partition_span(step: int, t: int) -> tuple[int, int]:
    """[lower, upper) in epoch seconds of the partition of tier `step` that holds second `t`."""
    if step == 1:
        return _aligned(t, 3600)
    if step <= 60:
        return _aligned(t, DAY_S)
    if step == 600:
        monday = 4 * DAY_S  # 1970-01-05
        lower = (t - monday) // (7 * DAY_S) * (7 * DAY_S) + monday
        return lower, lower + 7 * DAY_S
    day = dt.datetime.fromtimestamp(t, UTC).replace(hour=0, minute=0, second=0, microsecond=0, day=1)
    if step == 3600:
        after = (day + dt.timedelta(days=32)).replace(day=1)
    else:
        day = day.replace(month=1)
        after = day.replace(year=day.year + 1)
    return int(day.timestamp()), int(after.timestamp())


def _aligned(t: int, span_s: int) -> tuple[int, int]:
    return t // span_s * span_s, t // span_s * span_s + span_s
