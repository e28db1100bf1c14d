"""Pages of labels: what there is, who shadows whom, CSV out, and a monitor with exact totals out of a label."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from monitors.access import allows, operator_required, viewer_required
from monitors.labels.making import CannotMake, new_monitor_url
from monitors.labels.overview import MODELS, label_numbered, rows_of
from monitors.labels.resolve import is_following
from monitors.labels.sheets import SHEETS
from monitors.labels.well_known import add_well_known
from monitors.models import HostName, NameSettings

PAGE = 200
TABS = [(key, sheet.title) for key, sheet in SHEETS.items()]
WORDS = {
    "services": ("Networks and ports of their servers", "What servers offer: name their networks and ports."),
    "locations": ("Networks", "Where addresses are: name networks, and places in which others lie."),
    "points": ("Node, VNI, VLAN", "Where traffic is mirrored: name a node, a VNI or a VLAN."),
    "protocols": ("Ports", "What runs on a port: add the well-known ones, or your own."),
}
ADMIN = {
    "services": "service",
    "locations": "location",
    "points": "point",
    "protocols": "application",
    "names": "hostname",
}
FIGURES = {"services": "service", "locations": "location", "points": "point", "protocols": "protocol"}


@require_GET
@viewer_required
def labels(request: HttpRequest) -> HttpResponseBase:
    return redirect("labels-services")


@require_GET
@viewer_required
def label_list(request: HttpRequest, kind: str) -> HttpResponse:
    """Labels of one kind."""
    words = request.GET.get("q", "").strip()
    rows, share = rows_of(kind)
    found = [row for row in rows if _mentions(words, row.name, row.description, *row.parts)]
    context = _context(request, kind) | {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "any": bool(rows),
        "share": share,
        "hidden": sum(row.shadow.is_hidden for row in rows),
        "is_following": is_following(),
        "what": WORDS[kind][0],
        "about": WORDS[kind][1],
        "figures": f"/d/{FIGURES[kind]}/",
        "q": words,
    }
    return render(request, "monitors/labels.html", context)


@require_GET
@viewer_required
def names(request: HttpRequest) -> HttpResponse:
    """Names of hosts, and whether reverse DNS is asked."""
    words = request.GET.get("q", "").strip()
    stored = HostName.objects.order_by("address")
    found = stored.filter(Q(address__startswith=words) | Q(name__icontains=words)) if words else stored
    context = _context(request, "names") | {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "any": stored.exists(),
        "settings": NameSettings.objects.get_or_create(pk=1)[0],
        "unknown": stored.filter(name="").count(),
        "q": words,
    }
    return render(request, "monitors/names.html", context)


def _mentions(words: str, *texts: str) -> bool:
    return not words or any(words.casefold() in text.casefold() for text in texts)


def _context(request: HttpRequest, kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "sheet": SHEETS[kind],
        "tabs": [(key, title, f"/labels/{key}/") for key, title in TABS],
        "admin": f"/admin/monitors/{ADMIN[kind]}/",
        "section": "labels",
        "may_operate": allows(request.user, "operate"),
    }


@require_GET
@viewer_required
def export_labels(request: HttpRequest, kind: str) -> HttpResponse:
    """All of one kind as CSV."""
    return HttpResponse(
        SHEETS[kind].export(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{kind}.csv"'},
    )


@operator_required
@require_POST
def add_well_known_protocols(request: HttpRequest) -> HttpResponseBase:
    """Add those of the list that are not there yet."""
    names = add_well_known()
    said = f"{len(names)} protocols were added." if names else "All well-known protocols are here already."
    messages.success(request, said)
    return redirect("labels-protocols")


@require_GET
@operator_required
def monitor_of_label(request: HttpRequest, kind: str, pk: int) -> HttpResponseBase:
    """On to the form of a new monitor, with the label's filter."""
    if not MODELS[kind]._default_manager.filter(pk=pk).exists():
        raise Http404("There is no such label any more.")
    return _to_form(request, kind, pk)


@require_GET
@operator_required
def monitor_of_name(request: HttpRequest) -> HttpResponseBase:
    """The same by key and name, as panels know a label: `?key=service&name=Shop`."""
    key, name = request.GET.get("key", ""), request.GET.get("name", "")
    found = label_numbered(key, name)
    if found is None:
        messages.error(
            request, f"There is no label {name} any more." if name else "Choose the label of which to make a monitor."
        )
        return redirect("labels")
    # A site's figures hold the places in it, a location's do not: so do the monitors.
    side = key.partition("_")[0] if found[0] == "locations" else ""
    return _to_form(request, *found, side, inside=key.endswith("_site"))


def _to_form(request: HttpRequest, kind: str, pk: int, side: str = "", inside: bool = True) -> HttpResponseBase:
    try:
        return redirect(new_monitor_url(kind, pk, side, inside))
    except CannotMake as error:
        messages.error(request, str(error))
        return redirect(f"labels-{kind}")
