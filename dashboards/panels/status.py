"""Green, amber, red by the registry's thresholds; grey where too few samples stand behind a number to judge it."""

from __future__ import annotations

import math

from cstor.metrics.columns import METRICS
from dashboards.panels.units import full_text
from dashboards.queries.frame import Series

LEVELS = ("plain", "grey", "green", "amber", "red")


def level(metric: str, stat: str, value: float, samples: float) -> str:
    """One of LEVELS; `plain` for a metric without a threshold."""
    threshold = METRICS[metric].threshold
    if threshold is None or threshold.stat != stat:
        return "plain" if math.isfinite(value) else "grey"
    if not math.isfinite(value) or samples < threshold.samples:
        return "grey"
    if value >= threshold.red:
        return "red"
    return "amber" if value >= threshold.amber else "green"


def level_of(series: Series) -> str:
    """The level of a series over its whole range."""
    return level(series.metric, series.stat, series.whole, series.whole_n)


def worst(levels: list[str]) -> str:
    """The level that a tile of several numbers takes; grey only if nothing could be judged."""
    judged = [one for one in levels if one in ("green", "amber", "red")]
    return max(judged, key=LEVELS.index) if judged else "grey"


def reason(series: Series) -> str:
    """Why a number has its level, for the tooltip."""
    metric = METRICS[series.metric]
    threshold = metric.threshold
    if threshold is None or threshold.stat != series.stat:
        return metric.help
    if series.whole_n < threshold.samples:
        return f"{metric.help} Not judged: {series.whole_n:.0f} samples, at least {threshold.samples} are needed."
    unit = metric.symbol_of(series.stat)
    return f"{metric.help} Amber from {full_text(threshold.amber, unit)}, red from {full_text(threshold.red, unit)}."
