"""What every number means: the registry as a page."""

from __future__ import annotations

from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from cstor.metrics.columns import METRICS
from cstor.metrics.metric import Metric
from monitors.access import viewer_required

HEADINGS = {
    "headline": "Headlines",
    "timing": "Timing",
    "connections": "Connections and outcomes",
    "loss": "Loss, order, flow control",
    "visibility": "Visibility",
    "volume": "Volume",
    "links": "Links",
    "capture": "Capture nodes themselves",
}


@require_GET
@viewer_required
def definitions(request: HttpRequest) -> HttpResponse:
    by_group = sorted(METRICS.values(), key=lambda metric: _place(metric.group))
    groups = [
        {"key": group, "title": HEADINGS.get(group, group.title()), "metrics": [_row(metric) for metric in found]}
        for group, found in groupby(by_group, key=lambda metric: metric.group)
    ]
    return render(request, "dashboards/definitions.html", {"groups": groups, "section": "definitions"})


def _place(group: str) -> int:
    order = list(HEADINGS)
    return order.index(group) if group in order else len(order)


def _row(metric: Metric) -> dict[str, object]:
    return {"metric": metric, "formula": _formula(metric), "units": metric.symbol_of(metric.default_stat)}


def _formula(metric: Metric) -> str:
    """How it is finished from its bases, as one would write it down."""
    if metric.kind == "histogram":
        return f"histogram {next(iter(metric.terms))}"
    top = _sum(metric.terms)
    if metric.kind == "ratio":
        return f"{metric.scale:g} × ({top}) / ({_sum(metric.per)})"
    return top if metric.scale == 1 else f"{metric.scale:g} × ({top})"


def _sum(terms: dict[str, int]) -> str:
    signed = [
        ("− " if weight < 0 else "+ ") + ("" if abs(weight) == 1 else f"{abs(weight)} × ") + key
        for key, weight in terms.items()
    ]
    return " ".join(signed).removeprefix("+ ")
