"""Frame: what a query answers, and all that panel kinds and report formats ever see.

Values are finished numbers in the metric's own unit (seconds, bit/s, percent); NaN is "not measurable here", never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cstor.metrics.metric import Threshold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Series:
    """One line: a metric's stat for one group. `n` is how many samples each value stands on.

    `partial` are sums of the nodes that were there while another was missing: lower bounds, which `values` leaves out.
    `whole` is the one number of the whole range, `whole_n` its samples. `threshold` is the monitors' own, where they
    have one; else the metric's holds.
    """

    keys: dict[str, Any]
    metric: str
    stat: str
    unit: str
    values: Floats
    n: Floats
    partial: Floats = field(default_factory=lambda: np.zeros(0))
    whole: float = float("nan")
    whole_n: float = 0.0
    lower_bound: bool = False
    compared: str = ""
    threshold: Threshold | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "keys": self.keys | ({"compare": self.compared} if self.compared else {}),
            "metric": self.metric,
            "stat": self.stat,
            "unit": self.unit,
            "values": numbers(self.values),
            "n": numbers(self.n),
            "lower_bound": self.lower_bound,
        }


@dataclass(frozen=True)
class Gap:
    """A time [start, end) in which something was not captured or not fetched; `total` if nothing at all was. `kind` is
    down, unfetched, lost or idle."""

    start: int
    end: int
    reason: str
    total: bool = True
    kind: str = ""

    def to_json(self) -> list[Any]:
        return [self.start, self.end, self.reason]


@dataclass(frozen=True)
class Frame:
    """Answer of one query. `start` and `end` are the asked range in epoch seconds, `kept` the span that has data;
    `filters` lead from a series (by the text of its keys) to its packets, `names` from a monitor's slug to its name.
    `changes` are the moments at which a definition was edited, with what changed."""

    times: Ints
    series: tuple[Series, ...]
    step: int
    tier: int
    start: int
    end: int
    zone: str = "UTC"
    gaps: tuple[Gap, ...] = ()
    changes: tuple[tuple[int, str], ...] = ()
    complete_until: int | None = None
    other_share: float | None = None
    visibility: float | None = None
    warnings: tuple[str, ...] = ()
    kept: tuple[int, int] | None = None
    filters: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any(np.isfinite(series.values).any() or np.isfinite(series.whole) for series in self.series)

    def to_json(self) -> dict[str, Any]:
        return {
            "times": self.times.tolist(),
            "series": [series.to_json() for series in self.series],
            "step": self.step,
            "tier": self.tier,
            "gaps": [gap.to_json() for gap in self.gaps],
            "changes": [list(change) for change in self.changes],
            "complete_until": self.complete_until,
            "other_share": number(self.other_share),
            "visibility": number(self.visibility),
            "warnings": list(self.warnings),
        }


def number(value: float | None) -> float | int | None:
    """A JSON number: null for what is not measurable, whole numbers without a fraction."""
    if value is None or not np.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)


def numbers(values: Floats) -> list[float | int | None]:
    return [number(value) for value in values.tolist()]
