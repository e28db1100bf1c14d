"""From bases to the numbers that people read. Sums that are absent are 0; what cannot be measured is NaN.

Shared by the node's commands and the console, so that a value is computed in one place only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cstor.metrics.histogram import Cells, Floats, quantiles
from cstor.metrics.metric import Metric

Columns = Mapping[str, "Floats | Cells"]
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def finalize(metric: Metric, stat: str, columns: Columns, seconds: Floats | float) -> Floats:
    """One value per row: seconds for timings, bit/s for throughput, percent 0..100.

    `columns` holds an array per scalar base of the metric (NaN = absent) and `Cells` for its histogram; `seconds` is
    the length of each row's bucket. ValueError for a stat that the metric does not have.
    """
    if stat not in metric.stats:
        raise ValueError(f"{metric.key} has no {stat!r}; it has {', '.join(metric.stats)}")
    if metric.kind == "histogram":
        return _histogram(metric, stat, columns)
    if metric.kind == "extreme":
        (key,) = metric.terms
        return _scalar(columns, key) * metric.scale
    top = _weighted(metric.terms, columns) * metric.scale
    if metric.kind == "ratio":
        below = _weighted(metric.per, columns)
        return np.divide(top, below, out=np.full_like(top, np.nan), where=below > 0)
    return top / seconds if stat == "rate" else top


def sample_count(metric: Metric, columns: Columns) -> Floats:
    """What a value stands on: samples of a histogram, denominator of a ratio, else the counted things."""
    if metric.kind == "histogram":
        (key,) = metric.terms
        return np.nan_to_num(_scalar(columns, f"{key}_count"))
    if metric.kind == "extreme":
        (key,) = metric.terms
        return np.isfinite(_scalar(columns, key)).astype(float)
    return _weighted(metric.per or metric.terms, columns)


def _histogram(metric: Metric, stat: str, columns: Columns) -> Floats:
    (key,) = metric.terms
    count = np.nan_to_num(_scalar(columns, f"{key}_count"))
    if stat == "count":
        return count
    if stat == "mean":
        total = np.nan_to_num(_scalar(columns, f"{key}_sum"))
        return np.divide(total * metric.scale, count, out=np.full_like(total, np.nan), where=count > 0)
    low, high = (_scalar(columns, f"{key}_{part}") * metric.scale for part in ("min", "max"))
    if stat in ("min", "max"):
        return low if stat == "min" else high
    cells = columns[key]
    assert isinstance(cells, Cells)
    return np.fmin(np.fmax(quantiles(cells, [QUANTILES[stat]])[:, 0], low), high)


def _scalar(columns: Columns, key: str) -> Floats:
    return np.asarray(columns[key], dtype=np.float64)


def _weighted(terms: Mapping[str, int], columns: Columns) -> Floats:
    parts = [weight * np.nan_to_num(_scalar(columns, key)) for key, weight in terms.items()]
    return np.sum(parts, axis=0)
