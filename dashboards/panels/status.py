"""Green, amber, red by the monitors' own thresholds or the registry's; grey where too few samples stand behind a number
to judge it."""

from __future__ import annotations

import math

from cstor.metrics.columns import METRICS
from cstor.metrics.metric import Threshold
from dashboards.panels.units import full_text
from dashboards.queries.frame import Series

LEVELS = ("plain", "grey", "green", "amber", "red")


def level(threshold: Threshold | None, value: float, samples: float) -> str:
    """One of LEVELS; `plain` where there is nothing to judge by."""
    if threshold is None:
        return "plain" if math.isfinite(value) else "grey"
    if not math.isfinite(value) or samples < threshold.samples:
        return "grey"
    if value >= threshold.red:
        return "red"
    return "amber" if value >= threshold.amber else "green"


def threshold_of(series: Series) -> Threshold | None:
    """What this series is judged by: the monitors' own values, else those of the metric; None for other stats."""
    threshold = series.threshold or METRICS[series.metric].threshold
    return threshold if threshold is not None and threshold.stat == series.stat else None


def level_of(series: Series) -> str:
    """The level of a series over its whole range."""
    return level(threshold_of(series), series.whole, series.whole_n)


def worst(levels: list[str]) -> str:
    """The level that a tile of several numbers takes; grey only if nothing could be judged."""
    judged = [one for one in levels if one in ("green", "amber", "red")]
    return max(judged, key=LEVELS.index) if judged else "grey"


def reason(series: Series) -> str:
    """Why a number has its level, for the tooltip."""
    metric = METRICS[series.metric]
    threshold = threshold_of(series)
    if threshold is None:
        return metric.help
    if series.whole_n < threshold.samples:
        return f"{metric.help} Not judged: {series.whole_n:.0f} samples, at least {threshold.samples} are needed."
    unit = metric.symbol_of(series.stat)
    own = " (the monitor's own thresholds)" if series.threshold else ""
    limits = f"Amber from {full_text(threshold.amber, unit)}, red from {full_text(threshold.red, unit)}{own}."
    return f"{metric.help} {limits}"
