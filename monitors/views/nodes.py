"""Pages that say how nodes are doing: the list, and one node with its status and pulls."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from monitors import state
from monitors.access import allows, operator_required, viewer_required
from monitors.models import Node
from monitors.nodes import health
from monitors.nodes.glance import glance, stages


@viewer_required
def nodes(request: HttpRequest) -> HttpResponse:
    """All nodes, the worst first."""
    now = time.time()
    found = Node.objects.prefetch_related("monitors")
    rows = [(node, state.of_node(node, now), glance(node.status)) for node in found]
    rows.sort(key=lambda row: (-state.SEVERITY.index(row[1].key), row[0].name))
    context = {"rows": rows, "section": "nodes", "may_operate": allows(request.user, "operate")}
    page = "monitors/partials/node_rows.html" if request.headers.get("HX-Request") else "monitors/nodes.html"
    return render(request, page, context)


@viewer_required
def node(request: HttpRequest, pk: int) -> HttpResponse:
    """One node: what it says of itself, and which monitors pull from it."""
    found = get_object_or_404(Node, pk=pk)
    now = time.time()
    pulls = found.pulls.select_related("node", "monitor").order_by("monitor__name")
    context = {
        "node": found,
        "state": state.of_node(found, now),
        "facts": facts(found.status),
        "sources": [source_row(source) for source in found.status.get("sources") or [] if isinstance(source, dict)],
        "drops": found.status.get("drops") or {},
        "glance": glance(found.status),
        "stages": stages(found.status),
        "rows": [state.view(pull, now) for pull in pulls],
        "by_node": False,
        "section": "nodes",
        "may_operate": allows(request.user, "operate"),
    }
    page = "monitors/partials/pulls.html" if request.headers.get("HX-Request") else "monitors/node.html"
    return render(request, page, context)


@operator_required
@require_POST
def test_node(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the node for its status, now."""
    found = get_object_or_404(Node, pk=pk)
    error = health.check(found, time.time())
    if error:
        messages.error(request, f"{found.name}: {error}")
    else:
        messages.success(request, f"{found.name} answers.")
    return redirect("node", pk=found.pk)


def source_row(source: dict[str, Any]) -> dict[str, str]:
    """One source of a node's status as text; what it does not tell stays empty."""

    def number(name: str, scale: float = 1.0, places: int = 0) -> str:
        value = source.get(name)
        return f"{value * scale:,.{places}f}" if isinstance(value, int | float) else ""

    fill = source.get("ring_fill")
    drops = source.get("drops") or {}
    found = [f"{reason} {n:,}" for reason, n in drops.items() if n] if isinstance(drops, dict) else []
    return {
        "name": str(source.get("name") or source.get("kind") or ""),
        "packets": number("packets"),
        "packets_per_s": number("packets_per_s"),
        "mbit_per_s": number("bits_per_s", 1e-6, 1),
        "ring_fill": f"{fill:.1%}" if isinstance(fill, int | float) else "",
        "state": str(source.get("problem") or source.get("state") or ""),
        "drops": ", ".join(found) or "none",
    }


def facts(status: dict[str, Any]) -> dict[str, Any]:
    """The few things of a status that an operator looks for first; absent ones are left out."""
    disk = status.get("disk") or {}
    used = disk.get("used") or {}
    found = {
        "version": status.get("version"),
        "mode": status.get("mode"),
        "problem": status.get("problem"),
        "lag_s": status.get("lag_s"),
        "oldest_packet": status.get("oldest_packet"),
        "newest_packet": status.get("newest_packet"),
        "kept_from": status.get("kept_from"),
        "complete_until": status.get("complete_until"),
        "packets_bytes": (used.get("packets") or {}).get("bytes"),
        "series_bytes": sum((used.get(name) or {}).get("bytes", 0) for name in ("series", "latency", "sessions"))
        or None,
        "free_bytes": disk.get("free_bytes"),
    }
    return {name: value for name, value in found.items() if value is not None}
