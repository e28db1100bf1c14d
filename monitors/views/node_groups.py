"""The page of a node group: its members now and before, and how nodes join it."""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from monitors import state
from monitors.access import allows, operator_required, viewer_required
from monitors.models import NodeGroup
from monitors.nodes import discovery
from monitors.nodes.glance import glance
from monitors.nodes.membership import former, members, state_of_group


@viewer_required
def node_group(request: HttpRequest, pk: int) -> HttpResponse:
    """One group: who is asked, who was, and the line by which a node announces itself."""
    group = get_object_or_404(NodeGroup, pk=pk)
    now = time.time()
    rows = [{"node": node, "state": state.of_node(node, now), "glance": glance(node.status)} for node in members(group)]
    context = {
        "group": group,
        "rows": rows,
        "state": state_of_group(group, [row["state"] for row in rows]),  # type: ignore[misc]
        "former": former(group),
        "monitors": group.monitors.order_by("name"),
        "line": join_line(request, group),
        "section": "nodes",
        "may_operate": allows(request.user, "operate"),
    }
    return render(request, "monitors/node_group.html", context)


@operator_required
@require_POST
def look_group(request: HttpRequest, pk: int) -> HttpResponse:
    """Resolve the group's address now."""
    group = get_object_or_404(NodeGroup.objects.exclude(address=""), pk=pk)
    error = discovery.look(group.pk, time.time())
    if error:
        messages.error(request, error)
    else:
        messages.success(request, f"The address stands for {group.nodes.filter(found_by=group).count()} nodes.")
    return redirect("node-group", pk=group.pk)


def group_rows(now: float) -> list[dict[str, Any]]:
    """The groups of the list of nodes."""
    rows = []
    for group in NodeGroup.objects.prefetch_related("nodes", "monitors"):
        found = members(group)
        states = [state.of_node(node, now) for node in found]
        rows.append({"group": group, "members": found, "state": state_of_group(group, states)})
    return rows


def join_line(request: HttpRequest, group: NodeGroup) -> str:
    """What a node runs when it starts, for example from cloud-init; the words in capitals are to be filled in."""
    address = request.build_absolute_uri(f"/api/v1/node-groups/{group.pk}/join")
    said = json.dumps({"name": "NAME", "url": "http://ADDRESS:8801", "token": "NODE_TOKEN"})
    return (
        f"curl -fsS --retry 10 --retry-all-errors -H 'Authorization: Bearer JOIN_TOKEN'"
        f" -H 'Content-Type: application/json' -d {shlex.quote(said)} {shlex.quote(address)}"
    )
