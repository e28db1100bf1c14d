"""The monitors of the nodes themselves: made once for an installation, and told of every node that is added."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from monitors.kinds.kind import KINDS
from monitors.models import Monitor, Node

# (name, kind): what the dashboard "Capture health" is drawn from.
BUILTIN = (("Capture health", "capture_health"), ("Links", "links"))
TOP_N = 200


def add_node_monitors(nodes: Iterable[Node]) -> None:
    """Make those that are not there; they ask these nodes."""
    with transaction.atomic():
        for name, kind in BUILTIN:
            if not Monitor.objects.filter(kind=kind).exists():
                keys = list(KINDS[kind].keys)
                Monitor.objects.create(
                    name=_free_name(name), kind=kind, keys=keys, resolution=10, interval_s=10, top_n=TOP_N
                )
    for node in nodes:
        watch(node)


def watch(node: Node) -> None:
    """A node that was added is asked by every monitor of the nodes themselves."""
    for monitor in Monitor.objects.filter(kind__in=[key for key, kind in KINDS.items() if kind.is_of_nodes]):
        monitor.nodes.add(node)


def _free_name(wanted: str) -> str:
    name, n = wanted, 1
    while Monitor.objects.filter(name=name).exists():
        n += 1
        name = f"{wanted} ({n})"
    return name
