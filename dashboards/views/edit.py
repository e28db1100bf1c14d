"""Making dashboards and changing them, by forms: for operators. Built-in ones are copied, not edited."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from dashboards.forms.dashboard import DashboardForm
from dashboards.forms.panel import PanelForm
from dashboards.models import Dashboard, Panel
from dashboards.models.panel import WIDTHS
from dashboards.panels.panel import PANELS
from dashboards.panels.theme import THEMES, template
from monitors.access import operator_required

MOVES = ("up", "down", "first", "last")
form_view = require_http_methods(["GET", "POST"])


@form_view
@operator_required
def new(request: HttpRequest) -> HttpResponse:
    form = DashboardForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        dashboard = form.save(commit=False)
        dashboard.owner = request.user
        dashboard.save()
        return redirect("panel-add", slug=dashboard.slug)
    return render(request, "dashboards/form.html", {"form": form, "title": "New dashboard", "section": "dashboards"})


@form_view
@operator_required
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Its own fields, and the list of its panels with what can be done to each."""
    dashboard = editable(slug)
    form = DashboardForm(request.POST or None, instance=dashboard)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("dashboard-edit", slug=dashboard.slug)
    panels = [(panel, PANELS.get(panel.kind)) for panel in dashboard.panels.all()]
    context = {"form": form, "dashboard": dashboard, "panels": panels, "widths": WIDTHS, "section": "dashboards"}
    return render(request, "dashboards/edit.html", context)


@require_POST
@operator_required
def copy(request: HttpRequest, slug: str) -> HttpResponse:
    """A copy that belongs to whoever asked: how one starts from a built-in dashboard."""
    source = get_object_or_404(Dashboard, slug=slug)
    with transaction.atomic():
        made = Dashboard.objects.create(
            title=f"{source.title} (copy)"[:120],
            description=source.description,
            default_start=source.default_start,
            refresh_s=source.refresh_s,
            owner_id=request.user.pk,
        )
        Panel.objects.bulk_create(Panel(dashboard=made, **panel.as_data()) for panel in source.panels.all())
    messages.success(request, f"This is your own copy of {source.title}. Change it as you like.")
    return redirect("dashboard-edit", slug=made.slug)


@require_POST
@operator_required
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    dashboard = editable(slug)
    dashboard.delete()
    messages.success(request, f"{dashboard.title} was deleted.")
    return redirect("dashboards")


@form_view
@operator_required
def add_panel(request: HttpRequest, slug: str) -> HttpResponse:
    dashboard = editable(slug)
    form = PanelForm(request.POST or None, dashboard=dashboard)
    if request.method == "POST" and form.is_valid():
        panel = form.to_panel()
        last = dashboard.panels.order_by("-position").first()
        panel.position = last.position + 1 if last else 0
        panel.save()
        return redirect(dashboard)
    return _panel_page(request, dashboard, form, None)


@form_view
@operator_required
def edit_panel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    dashboard = editable(slug)
    panel = get_object_or_404(dashboard.panels, pk=pk)
    form = PanelForm(request.POST or None, dashboard=dashboard, panel=panel)
    if request.method == "POST" and form.is_valid():
        form.to_panel().save()
        return redirect(dashboard)
    return _panel_page(request, dashboard, form, panel)


@require_POST
@operator_required
def move_panel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One place up or down, or to either end; or another width."""
    dashboard = editable(slug)
    with transaction.atomic():
        panels = list(dashboard.panels.select_for_update())
        place = next((number for number, panel in enumerate(panels) if panel.pk == pk), None)
        if place is None:
            return redirect("dashboard-edit", slug=slug)
        if request.POST.get("width", "").isdecimal():
            panels[place].width = min(max(int(request.POST["width"]), 1), 12)
        target = {"up": place - 1, "down": place + 1, "first": 0, "last": len(panels) - 1}.get(
            request.POST.get("to", "")
        )
        if target is not None:
            panels.insert(min(max(target, 0), len(panels) - 1), panels.pop(place))
        for number, panel in enumerate(panels):
            panel.position = number
        Panel.objects.bulk_update(panels, ["position", "width"])
    return redirect("dashboard-edit", slug=slug)


@require_POST
@operator_required
def remove_panel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    dashboard = editable(slug)
    panel = get_object_or_404(dashboard.panels, pk=pk)
    panel.delete()
    messages.success(request, f"Panel “{panel.title}” was removed.")
    return redirect("dashboard-edit", slug=slug)


def editable(slug: str) -> Dashboard:
    """The dashboard, unless it is built in."""
    dashboard = get_object_or_404(Dashboard, slug=slug)
    if dashboard.builtin:
        raise PermissionDenied("Built-in dashboards stay as they are. Copy it, then change the copy.")
    return dashboard


def _panel_page(request: HttpRequest, dashboard: Dashboard, form: PanelForm, panel: Panel | None) -> HttpResponse:
    context = {
        "form": form,
        "dashboard": dashboard,
        "panel": panel,
        "kinds": sorted(PANELS.values(), key=lambda kind: kind.place),
        "themes": {name: template(name) for name in THEMES},
        "section": "dashboards",
    }
    return render(request, "dashboards/panel_form.html", context)
