"""The first visit: three steps with live check marks, from an empty installation to a panel that fills."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from monitors.access import allows, viewer_required
from monitors.models import Monitor, Node, Pull


@require_GET
@viewer_required
def welcome(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboards/welcome.html", _context(request))


@require_GET
@viewer_required
def steps(request: HttpRequest) -> HttpResponse:
    """The steps alone, asked for again every few seconds."""
    return render(request, "dashboards/welcome_steps.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    pulls = [pull for pull in Pull.objects.select_related("monitor", "node") if pull.covered]
    errors = Pull.objects.exclude(error="").select_related("node").first()
    node = Node.objects.order_by("pk").first()
    return {
        "node": node,
        "node_count": Node.objects.count(),
        "monitor": Monitor.objects.about("conversations").order_by("pk").first(),
        "monitor_count": Monitor.objects.about("conversations").count(),
        "filled": pulls[0] if pulls else None,
        "error": errors,
        "may_operate": allows(request.user, "operate"),
        "section": "welcome",
    }
