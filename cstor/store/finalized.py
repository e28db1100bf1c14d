"""An answer's bases finished into the numbers that people read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cstor.metrics.finalize import finalize
from cstor.metrics.histogram import Cells
from cstor.metrics.metric import Metric
from cstor.metrics.registry import BASES, METRICS
from cstor.store.merge import Merged
from cstor.store.query import QueryError
from cstor.store.rows import absent_value
from cstor.store.series import Answer

TIMING_STATS = ("count", "min", "mean", "p50", "p90", "p95", "p99", "max")
# Counters are shown as sums; these are rates by nature.
RATES = ("throughput",)


def named_metrics(names: str) -> list[Metric]:
    """Metrics of a list with commas; QueryError for unknown ones."""
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in METRICS:
            raise QueryError(f"unknown metric {name!r}; known: {', '.join(METRICS)}")
    return [METRICS[name] for name in chosen]


def finalized_columns(metrics: list[Metric], answer: Answer) -> dict[str, list[Any]]:
    """One column per metric, rows as in `answer.columns_of`: a timing is {count, min, mean, p50 ...} or null."""
    out: dict[str, list[Any]] = {metric.key: [] for metric in metrics}
    for part in (answer.rows, answer.totals):
        if part is not None:
            columns = _columns(part)
            for metric in metrics:
                out[metric.key] += _values(metric, columns, answer.query.step)
    return out


def _columns(rows: Merged) -> dict[str, Any]:
    out: dict[str, Any] = dict(rows.cells)
    for key, column in rows.scalars.items():
        absent = absent_value(key)
        values = column.astype(np.float64)
        out[key] = values if BASES[key].kind == "sum" else np.where(column == absent, np.nan, values)
    return out


def _values(metric: Metric, columns: dict[str, Any], seconds: float) -> list[Any]:
    if metric.kind != "histogram":
        if metric.key in RATES or "sum" not in metric.stats:
            stat = "rate" if metric.key in RATES else metric.default_stat
        else:
            stat = "sum"
        whole = stat == "sum" and metric.scale == 1.0
        return [_number(value, whole) for value in finalize(metric, stat, columns, seconds).tolist()]
    assert isinstance(columns[next(iter(metric.terms))], Cells)
    stats = {stat: finalize(metric, stat, columns, seconds).tolist() for stat in TIMING_STATS}
    rows = zip(*stats.values(), strict=True)
    return [
        {"count": int(row[0]), **dict(zip(TIMING_STATS[1:], row[1:], strict=True))} if row[0] else None for row in rows
    ]


def _number(value: float, whole: bool) -> float | int | None:
    if value != value:
        return None
    return int(value) if whole else value


def flattened(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """For CSV: timings and histograms as columns of their own."""
    out: dict[str, list[Any]] = {}
    for name, column in columns.items():
        if name in METRICS and METRICS[name].kind == "histogram" and any(isinstance(value, dict) for value in column):
            for stat in TIMING_STATS:
                out[f"{name}_{stat}"] = [value[stat] if value else None for value in column]
        elif any(isinstance(value, list) for value in column):
            out[name] = [json.dumps(value) if value else None for value in column]
        else:
            out[name] = column
    return out
