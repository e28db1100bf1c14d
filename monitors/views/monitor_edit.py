"""The friendly form of a monitor and what one does with a single one: make, edit, copy, switch, delete, preview."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from monitors import editing
from monitors.access import operator_required
from monitors.builtin import all_nodes
from monitors.forms.monitor import MonitorForm
from monitors.models import Monitor
from monitors.preview.ask import preview
from monitors.preview.draft import Draft, read_draft

WAY = "form"


@operator_required
def new_monitor(request: HttpRequest) -> HttpResponse:
    """Make one; the address may bring a filter, so that dashboards and labels can offer "Make monitor"."""
    return _form(request, None)


@operator_required
def edit_monitor(request: HttpRequest, pk: int) -> HttpResponse:
    return _form(request, get_object_or_404(Monitor, pk=pk))


def _form(request: HttpRequest, monitor: Monitor | None) -> HttpResponse:
    if request.method == "POST":
        form = MonitorForm(request.POST, instance=monitor)
        if form.is_valid():
            revision = monitor.revision if monitor else 0
            saved = editing.save(form, request.user, WAY)
            messages.success(request, _said(saved, monitor is None, revision))
            return redirect(saved.dashboard_url if monitor is None and saved.targets.exists() else saved)
    else:
        form = MonitorForm(instance=monitor, initial=None if monitor else _initial(request))
    context = {"form": form, "monitor": monitor, "section": "monitors"}
    return render(request, "monitors/monitor_form.html", context, status=400 if form.errors else 200)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """All nodes and what the address says: `?filter=...&name=...`."""
    told = {name: request.GET[name] for name in ("filter", "name", "kind", "description") if request.GET.get(name)}
    return {"groups": [all_nodes().pk], **told}


def _said(monitor: Monitor, is_new: bool, revision: int) -> str:
    if is_new and not monitor.targets.exists():
        return f"{monitor.name} is made. It has no nodes yet: choose some, and it begins to fetch."
    if is_new:
        return f"{monitor.name} is made. Its first data is here within seconds; the history of its nodes follows."
    if monitor.revision != revision:
        return (
            f"{monitor.name} is revision {monitor.revision} now: what was pulled stays, what comes is of the new"
            " definition, and charts draw a line between both."
        )
    return f"{monitor.name} is saved."


@operator_required
@require_POST
def preview_monitor(request: HttpRequest) -> HttpResponse:
    """What the form in its present state would bring; the page asks while one types."""
    pk = request.POST.get("monitor", "")
    instance = Monitor.objects.filter(pk=int(pk)).first() if pk.isdigit() and len(pk) < 10 else None
    draft = read_draft(MonitorForm(request.POST, instance=instance))
    context: dict[str, Any] = {"draft": draft}
    if isinstance(draft, Draft):
        context["preview"] = preview(draft) if draft.nodes else None
    else:
        context["faults"] = draft
    return render(request, "monitors/partials/monitor_preview.html", context)


@operator_required
@require_POST
def clone_monitor(request: HttpRequest, pk: int) -> HttpResponse:
    """Copy it and open the copy's form."""
    copy = editing.clone(get_object_or_404(Monitor, pk=pk), request.user, WAY)
    messages.success(request, f"{copy.name} is made and switched off: change what differs, then switch it on.")
    return redirect("monitor-edit", pk=copy.pk)


@operator_required
@require_POST
def switch_monitor(request: HttpRequest, pk: int) -> HttpResponse:
    """On or off."""
    found = get_object_or_404(Monitor, pk=pk)
    wanted = request.POST.get("enabled") == "yes"
    editing.switch([found], wanted, request.user, WAY)
    told = "pulls again from now on; what it missed follows" if wanted else "pulls nothing more; what was pulled stays"
    messages.success(request, f"{found.name} {told}.")
    return redirect("monitor", pk=pk)


@operator_required
def delete_monitor(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask first, and say what goes with it."""
    found = get_object_or_404(Monitor, pk=pk)
    if request.method == "POST":
        editing.delete(found, request.user, WAY)
        messages.success(request, f"{found.name} is deleted.")
        return redirect("monitors")
    context = {"monitor": found, "section": "monitors", "rows": sum(pull.rows for pull in found.pulls.all())}
    return render(request, "monitors/monitor_delete.html", context)
