"""Pages that say how nodes are doing: the list, and one node with its status and pulls; test of a connection."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from monitors import state
from monitors.access import allows, operator_required, viewer_required
from monitors.forms.node import NodeForm
from monitors.models import Node
from monitors.nodes import alarm, health
from monitors.nodes.glance import glance, older, stages
from monitors.nodes.probe import Probe, Step, probe
from monitors.views.node_groups import group_rows


@viewer_required
def nodes(request: HttpRequest) -> HttpResponse:
    """All nodes, the worst first, and the groups."""
    now = time.time()
    found = list(Node.objects.prefetch_related("targets", "groups"))
    context: dict[str, Any] = {"section": "nodes", "may_operate": allows(request.user, "operate")}
    context["rows"] = sorted(
        node_rows(found, now), key=lambda row: (-state.SEVERITY.index(row["state"].key), row["name"])
    )
    if request.headers.get("HX-Request"):
        return render(request, "monitors/partials/node_rows.html", context)
    return render(request, "monitors/nodes.html", context | {"groups": group_rows(now)})


def node_rows(found: list[Node], now: float) -> list[dict[str, Any]]:
    """What a line of the list shows."""
    seen = {node.pk: glance(node.status) for node in found}
    behind = older({node.pk: seen[node.pk].version for node in found if node.enabled and node.left_at is None})
    return [
        {
            "node": node,
            "name": node.name,
            "state": state.of_node(node, now),
            "glance": seen[node.pk],
            "older": behind.get(node.pk, ""),
            "breaker": health.breaker_words(node, now) if node.enabled and node.left_at is None else "",
            "clock": health.clock_words(node),
            # Rates of a node that is gone were of its last minute.
            "is_present": node.enabled and node.left_at is None and not node.error,
        }
        for node in found
    ]


@viewer_required
def node(request: HttpRequest, pk: int) -> HttpResponse:
    """One node: what it says of itself, and which monitors pull from it."""
    found = get_object_or_404(Node.objects.select_related("found_by").prefetch_related("groups"), pk=pk)
    page = "monitors/partials/pulls.html" if request.headers.get("HX-Request") else "monitors/node.html"
    return render(request, page, _page(request, found))


def _page(request: HttpRequest, found: Node) -> dict[str, Any]:
    now = time.time()
    pulls = found.pulls.select_related("node", "monitor").order_by("monitor__name")
    versions = Node.objects.filter(enabled=True, left_at=None).values_list("pk", "status__version")
    seen = glance(found.status)
    return {
        "node": found,
        "state": state.of_node(found, now),
        "facts": facts(found.status),
        "sources": [source_row(source) for source in found.status.get("sources") or [] if isinstance(source, dict)],
        "drops": _object(found.status.get("drops")),
        "glance": seen,
        "older": older({key: str(version or "")[:40] for key, version in versions}).get(found.pk, ""),
        "breaker": health.breaker_words(found, now),
        "clock": health.clock_words(found),
        "certificate_left": "" if seen.certificate is None else health.spoken(max(0.0, seen.certificate - now)),
        "is_https": found.url.startswith("https:"),
        "stages": stages(found.status),
        "rows": [state.view(pull, now) for pull in pulls],
        "by_node": False,
        "section": "nodes",
        "may_operate": allows(request.user, "operate"),
    }


@operator_required
@require_POST
def test_node(request: HttpRequest, pk: int) -> HttpResponse:
    """Try each step of the connection to the node, now, and note what came of it."""
    found = get_object_or_404(Node, pk=pk)
    tried = probe(found)
    if tried.status is not None:
        health.note(found, tried.status, time.time())
    else:
        health.failed(found.pk, tried.error, time.time())
    if request.headers.get("HX-Request"):
        return render(request, "monitors/partials/node_steps.html", {"probe": tried})
    if tried.ok:
        messages.success(request, f"{found.name} answers.")
    else:
        messages.error(request, f"{found.name}: {tried.error}")
    return redirect("node", pk=found.pk)


@operator_required
@require_POST
def try_node(request: HttpRequest) -> HttpResponse:
    """The same for what a form has now, before it is saved; nothing is kept. `pk` names the node that is edited, whose
    token is used where none is written."""
    pk = request.POST.get("pk", "")
    stored = Node.objects.filter(pk=int(pk)).first() if pk.isdecimal() and len(pk) < 10 else None
    form = NodeForm(request.POST, instance=stored)
    form.fields["name"].required = False
    form.is_valid()
    wrong = [
        Step(str(form.fields[name].label), "failed", " ".join(str(word) for word in errors))
        for name, errors in form.errors.items()
        if name in ("url", "new_token", "ca_certificate", "tls_name")
    ]
    if wrong:
        return render(request, "monitors/partials/node_steps.html", {"probe": Probe(wrong)})
    form.apply_token()
    return render(request, "monitors/partials/node_steps.html", {"probe": probe(form.instance)})


@viewer_required
def node_alarms(request: HttpRequest) -> HttpResponse:
    """The banner of every page, for pages that stay open."""
    return render(request, "partials/node_alarms.html", {"alarms": alarm.current()})


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
    disk = _object(status.get("disk"))
    used = _object(disk.get("used"))
    found = {
        "version": status.get("version"),
        "mode": status.get("mode"),
        "problem": status.get("problem"),
        "lag_s": status.get("lag_s"),
        "oldest_packet": status.get("oldest_packet"),
        "newest_packet": status.get("newest_packet"),
        "kept_from": status.get("kept_from"),
        "complete_until": status.get("complete_until"),
        "packets_bytes": _object(used.get("packets")).get("bytes"),
        "series_bytes": sum(_object(used.get(name)).get("bytes", 0) for name in ("series", "latency", "sessions"))
        or None,
        "free_bytes": disk.get("free_bytes"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
