"""Pages that say how monitors are doing: the list, and one monitor with its pulls and its history."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from monitors import history, state
from monitors.access import allows, operator_required, viewer_required
from monitors.forms.choices import STEP_LABELS
from monitors.forms.thresholds import judged
from monitors.intervals import length
from monitors.models import Monitor
from monitors.nodes import health
from monitors.pulls.claim import due_now
from monitors.views.monitor_list import STATES, all_tags, cost_of, narrowed

# The list is polled: beyond the worst of these one searches.
MOST_ROWS = 200


@viewer_required
def monitors(request: HttpRequest) -> HttpResponse:
    """All monitors, the worst first, or those that were searched for."""
    chosen = {name: request.GET[name] for name in ("q", "tag", "state") if request.GET.get(name)}
    found = narrowed(chosen)
    context: dict[str, Any] = {
        "rows": found[:MOST_ROWS],
        "more": len(found) - MOST_ROWS,
        "may_operate": allows(request.user, "operate"),
    }
    context |= {"chosen": chosen, "section": "monitors"}
    if request.headers.get("HX-Request"):
        return render(request, "monitors/partials/monitor_rows.html", context)
    context |= {
        "tags": all_tags(),
        "states": [(key, label) for key, (label, _) in STATES.items()],
        "any": bool(context["rows"]) or Monitor.objects.exists(),
        "query": request.GET.urlencode(),
    }
    return render(request, "monitors/monitors.html", context)


@viewer_required
def monitor(request: HttpRequest, pk: int) -> HttpResponse:
    """One monitor: its definition, its pulls, what it costs, and what was changed by whom."""
    found = get_object_or_404(Monitor.objects.prefetch_related("nodes", "groups"), pk=pk)
    now = time.time()
    pulls = list(found.pulls.select_related("node", "monitor").order_by("node__name"))
    context = {
        "monitor": found,
        "state": state.of_monitor(found, pulls, now),
        "rows": [state.view(pull, now) for pull in pulls],
        "by_node": True,
        "section": "monitors",
        "may_operate": allows(request.user, "operate"),
    }
    if request.headers.get("HX-Request"):
        return render(request, "monitors/partials/pulls.html", context)
    context |= {
        "definitions": found.definitions.all(),
        "events": history.events(found),
        "cost": cost_of(found, tuple(pulls)),
        "steps": [STEP_LABELS.get(step, f"{step} s") for step in found.steps if step > found.resolution],
        "thresholds": _thresholds(found),
        "stale": health.spoken(stale) if (stale := sum(length(pull.stale) for pull in pulls)) else "",
    }
    return render(request, "monitors/monitor.html", context)


def _thresholds(monitor: Monitor) -> list[str]:
    """The monitor's own, in words."""
    return [
        f"{one.label}: amber from {one.shown(amber)} {one.unit}, red from {one.shown(red)} {one.unit}"
        for one in judged()
        if one.key in monitor.thresholds
        for amber, red in [monitor.thresholds[one.key]]
    ]


@operator_required
@require_POST
def pull_monitor(request: HttpRequest, pk: int) -> HttpResponse:
    """Pull now, on all its nodes."""
    found = get_object_or_404(Monitor, pk=pk)
    n = due_now(monitor_ids=[found.pk], now=time.time())
    messages.success(request, f"{n} pulls of {found.name} are due now.")
    return redirect("monitor", pk=found.pk)
