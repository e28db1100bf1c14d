"""Frames for tests of what is drawn, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cstor.metrics.columns import METRICS
from dashboards.queries.frame import Frame, Series

START = 1_767_261_600


def series_of(
    values: Sequence[float],
    metric: str = "response_time",
    stat: str = "p95",
    keys: dict[str, Any] | None = None,
    samples: float = 100,
    **fields: Any,
) -> Series:
    """A series whose whole-range value is the mean of its points."""
    array = np.array(values, dtype=float)
    whole = float(np.nanmean(array)) if np.isfinite(array).any() else float("nan")
    unit = METRICS[metric].symbol_of(stat)
    defaults = {"partial": np.full(len(array), np.nan), "whole": whole, "whole_n": samples}
    return Series(keys or {}, metric, stat, unit, array, np.full(len(array), samples), **(defaults | fields))


def frame_of(*series: Series, step: int = 10, **fields: Any) -> Frame:
    length = len(series[0].values) if series else 0
    times = START + np.arange(length, dtype=np.int64) * step
    defaults: dict[str, Any] = {"tier": step, "start": START, "end": START + max(length, 1) * step}
    return Frame(times=times, series=tuple(series), step=step, **(defaults | fields))
