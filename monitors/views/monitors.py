"""Pages that say how monitors are doing: the list, and one monitor with its pulls."""

from __future__ import annotations

import time

from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from monitors import state
from monitors.access import allows, operator_required, viewer_required
from monitors.models import Monitor, Pull
from monitors.pulls.claim import due_now


@viewer_required
def monitors(request: HttpRequest) -> HttpResponse:
    """All monitors, the worst first."""
    now = time.time()
    found = Monitor.objects.prefetch_related("nodes", Prefetch("pulls", Pull.objects.select_related("node", "monitor")))
    rows = [(monitor, state.of_monitor(monitor, list(monitor.pulls.all()), now)) for monitor in found]
    rows.sort(key=lambda row: (-state.SEVERITY.index(row[1].key), row[0].name))
    context = {"rows": rows, "section": "monitors", "may_operate": allows(request.user, "operate")}
    page = "monitors/partials/monitor_rows.html" if request.headers.get("HX-Request") else "monitors/monitors.html"
    return render(request, page, context)


@viewer_required
def monitor(request: HttpRequest, pk: int) -> HttpResponse:
    """One monitor: its definition, its pulls, and what its definition was."""
    found = get_object_or_404(Monitor.objects.prefetch_related("nodes"), pk=pk)
    now = time.time()
    pulls = list(found.pulls.select_related("node", "monitor").order_by("node__name"))
    context = {
        "monitor": found,
        "state": state.of_monitor(found, pulls, now),
        "rows": [state.view(pull, now) for pull in pulls],
        "by_node": True,
        "definitions": found.definitions.all(),
        "section": "monitors",
        "may_operate": allows(request.user, "operate"),
    }
    page = "monitors/partials/pulls.html" if request.headers.get("HX-Request") else "monitors/monitor.html"
    return render(request, page, context)


@operator_required
@require_POST
def pull_monitor(request: HttpRequest, pk: int) -> HttpResponse:
    """Pull now, on all its nodes."""
    found = get_object_or_404(Monitor, pk=pk)
    n = due_now(monitor_ids=[found.pk], now=time.time())
    messages.success(request, f"{n} pulls of {found.name} are due now.")
    return redirect("monitor", pk=found.pk)
