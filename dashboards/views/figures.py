"""The figure of one panel as JSON, polled by the page; 304 while nothing that it shows has changed."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from cstor.metrics.columns import METRICS
from dashboards.forms.panel import PanelForm
from dashboards.models import Dashboard, Panel
from dashboards.panels.panel import PANELS, Setting
from dashboards.queries.bar import Bar
from dashboards.queries.emptiness import explain
from dashboards.queries.frame import Frame, number
from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec, SpecError
from dashboards.queries.subjects import Subjects, find_subjects
from dashboards.queries.timerange import step_text
from monitors.access import operator_required, viewer_required
from monitors.series.coverage import state_of

# Part of every ETag: raised when the shape of the answer changes, so that no browser keeps an old one.
SHAPE = 2
STILL_S = 60
# Error counts that a lossy capture raises: the share of the traffic that was seen stands beside them.
SUSPECT = {"retransmission_percent", "failure_percent", "failures", "zero_window_rate"}


@require_GET
@viewer_required
def figure(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    panel = get_object_or_404(Panel.objects.select_related("dashboard"), pk=pk, dashboard__slug=slug)
    bar = Bar.from_params(request.GET, panel.dashboard)
    try:
        spec = bar.query(panel) if PANELS[panel.kind].needs_query else None
        subjects = find_subjects(spec) if spec else None
    except SpecError as error:
        return JsonResponse({"problem": error.message, "field": error.field})
    etag = _etag(panel, bar, subjects)
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag, "Cache-Control": "private, no-cache"})
    response = JsonResponse(draw(panel, bar, spec, subjects))
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


@require_POST
@operator_required
def preview(request: HttpRequest, slug: str) -> JsonResponse:
    """What a panel form would draw, without saving it."""
    dashboard = get_object_or_404(Dashboard, slug=slug)
    form = PanelForm(request.POST, dashboard=dashboard)
    if not form.is_valid():
        first = next(iter(form.errors.items()))
        return JsonResponse({"problem": f"{first[0]}: {first[1][0]}" if first[0] != "__all__" else first[1][0]})
    panel = form.to_panel()
    bar = Bar.from_params(request.GET, dashboard)
    try:
        spec = bar.query(panel) if PANELS[panel.kind].needs_query else None
        return JsonResponse(draw(panel, bar, spec, find_subjects(spec) if spec else None))
    except SpecError as error:
        return JsonResponse({"problem": error.message, "field": error.field})


def draw(panel: Panel, bar: Bar, spec: QuerySpec | None, subjects: Subjects | None) -> dict[str, Any]:
    """Drawing and notes of a panel under the bar."""
    kind = PANELS[panel.kind]
    if spec is None or subjects is None:
        empty = Frame(times=np.zeros(0, dtype=np.int64), series=(), step=1, tier=1, start=0, end=1)
        return kind.draw(empty, panel.config, _links(panel, bar)).to_json() | {"notes": {}}
    try:
        frame = run(spec, timezone.now(), kind.points)
    except SpecError as error:
        return {"problem": error.message, "field": error.field}
    notes = _notes(spec, frame)
    if frame.is_empty and kind.own_card:
        return {"empty": explain(spec, subjects, frame).to_json(), "notes": notes}
    return kind.draw(frame, panel.config, _links(panel, bar)).to_json() | {"notes": notes}


def _notes(spec: QuerySpec, frame: Frame) -> dict[str, Any]:
    """What the card says around the drawing, and what "copy as" copies."""
    return {
        "step": step_text(frame.step),
        "complete_until": frame.complete_until,
        "range": [frame.start, frame.end],
        "zone": frame.zone,
        "kept": frame.kept,
        "gaps": [gap.to_json() for gap in frame.gaps],
        "warnings": list(frame.warnings),
        "other_share": number(frame.other_share),
        "visibility": number(frame.visibility),
        "show_visibility": any(METRICS[metric.key].group == "loss" or metric.key in SUSPECT for metric in spec.metrics),
        "filter": spec.filter,
        "traffic": next(iter(frame.filters.values()), "") if len(set(frame.filters.values())) == 1 else spec.filter,
        "nodes": list(spec.nodes),
        "query": spec.to_json(),
    }


def _links(panel: Panel, bar: Bar) -> Setting:
    params = bar.to_params()
    time: dict[str, str] = {name: params[name] for name in ("from", "to", "zone") if name in params}
    here = {name: value for name, value in params.items() if name != "filter"}
    return Setting(
        links={
            "monitor": f"/d/monitor/?{urlencode(time)}&monitor=",
            "filter": f"/d/{quote(panel.dashboard.slug)}/?{urlencode(here)}&filter=",
            "packets": f"/packets/?{urlencode(time)}&filter=",
            "label": "/labels/monitor/?",
        }
    )


def _etag(panel: Panel, bar: Bar, subjects: Subjects | None) -> str:
    """Query, drawing, and the state of the data; a range that moves is drawn anew at least once a minute."""
    minute = int(timezone.now().timestamp()) // STILL_S
    words: list[Any] = [SHAPE, panel.pk, panel.kind, panel.query, panel.config, bar.to_params(), minute]
    if subjects is not None:
        words += [[[one.pk, one.name, one.revision, one.thresholds] for one in subjects.monitors]]
        words += [state_of([monitor.pk for monitor in subjects.monitors])]
    return f'"{hashlib.blake2b(json.dumps(words, default=str).encode(), digest_size=12).hexdigest()}"'
