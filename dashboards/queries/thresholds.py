"""Where a tile turns amber and red: the monitor's own values, where it has some, else those of the metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cstor.metrics.metric import Metric, Threshold
from monitors.models import Monitor


def threshold_of(metric: Metric, monitors: Sequence[Monitor], monitor_id: Any = None) -> Threshold | None:
    """What one monitor says of this metric, or what all of them say alike; None where they say nothing or differ."""
    asked = [monitor for monitor in monitors if monitor_id in (None, monitor.pk)]
    said = {own_values(monitor, metric) for monitor in asked}
    values = said.pop() if len(said) == 1 else None
    if values is None:
        return None
    return replace(metric.threshold or Threshold(metric.default_stat, 0, 0), amber=values[0], red=values[1])


def own_values(monitor: Monitor, metric: Metric) -> tuple[float, float] | None:
    """(amber, red) as the monitor has them; None for what is not two numbers."""
    try:
        amber, red = (float(value) for value in (monitor.thresholds or {})[metric.key])
    except (KeyError, TypeError, ValueError):
        return None
    return amber, red
