"""Pages that show dashboards: the start page, the list, one dashboard."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from dashboards.models import Dashboard, Panel
from dashboards.models.dashboard import REFRESH
from dashboards.panels.panel import PANELS, PanelKind
from dashboards.panels.theme import THEMES, template
from dashboards.queries.bar import Bar
from dashboards.queries.spec import COMPARE_S, SpecError
from dashboards.queries.timerange import QUICK, STEPS, RangeError, step_text
from dashboards.reports.formats.format import FORMATS
from monitors.access import allows, viewer_required
from monitors.models import Monitor, Node

ZONE_COOKIE = "cclear_zone"


@require_GET
@viewer_required
def start(request: HttpRequest) -> HttpResponseBase:
    """Overview, or the first steps on an installation that has no monitor yet."""
    if not Monitor.objects.about("conversations").exists():
        return redirect("welcome")
    return dashboard(request, "overview")


@require_GET
@viewer_required
def dashboards(request: HttpRequest) -> HttpResponse:
    found = Dashboard.objects.prefetch_related("panels").select_related("owner")
    context = {
        "builtin": [item for item in found if item.builtin],
        "own": [item for item in found if not item.builtin],
        "section": "dashboards",
    }
    return render(request, "dashboards/list.html", context)


@require_GET
@viewer_required
def dashboard(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Dashboard.objects.prefetch_related("panels"), slug=slug)
    return render(request, "dashboards/dashboard.html", page_context(request, found))


def page_context(request: HttpRequest, found: Dashboard) -> dict[str, Any]:
    """Everything the bar and the grid need; the figures come by themselves."""
    bar = Bar.from_params(request.GET, found, request.COOKIES.get(ZONE_COOKIE, "UTC"))
    monitor = _monitor(bar) if found.has_monitor else None
    try:
        label = bar.range.label
    except RangeError as error:
        label, problem = "Choose a range", str(error)
    else:
        problem = ""
    return {
        "dashboard": found,
        "panels": [(panel, kind_of(panel)) for panel in found.panels.all()],
        "bar": bar,
        "bar_label": label,
        "bar_problem": problem,
        "bar_params": bar.to_params() | ({"monitor": monitor.slug} if monitor else {}),
        "monitor": monitor,
        "monitors": Monitor.objects.about("conversations").order_by("name") if found.has_monitor else [],
        "nodes": Node.objects.order_by("name"),
        "quick": QUICK,
        "steps": [(step, step_text(step)) for step in STEPS if step <= 86400],
        "compare": [(key, f"{key[:-1]} day{'s' if key != '1d' else ''} earlier") for key in COMPARE_S],
        "refresh_choices": REFRESH,
        "formats": list(FORMATS.values()),
        "themes": {name: template(name) for name in THEMES},
        "may_edit": allows(request.user, "operate"),
        "section": {"overview": "overview", "monitor": "monitor"}.get(found.slug, "dashboards"),
    }


def kind_of(panel: Panel) -> PanelKind | None:
    """The panel's kind; None for one that this version does not know."""
    return PANELS.get(panel.kind)


def _monitor(bar: Bar) -> Monitor | None:
    try:
        return bar.monitor_or_first()
    except SpecError:
        return None
