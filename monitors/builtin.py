"""The monitors of the nodes themselves: made once for an installation; they ask the group of all nodes."""

from __future__ import annotations

from django.db import transaction

from monitors.kinds.kind import KINDS
from monitors.models import Monitor, NodeGroup

ALL_NODES = "All nodes"
# (name, kind): what the dashboard "Capture health" is drawn from.
BUILTIN = (("Capture health", "capture_health"), ("Links", "links"))
TOP_N = 200


def all_nodes() -> NodeGroup:
    """The group that every node is a member of."""
    found = NodeGroup.objects.filter(is_all=True).first()
    return found or NodeGroup.objects.create(name=ALL_NODES, is_all=True)


def add_node_monitors() -> None:
    """Make those that are not there."""
    with transaction.atomic():
        for name, kind in BUILTIN:
            if not Monitor.objects.filter(kind=kind).exists():
                keys = list(KINDS[kind].keys)
                monitor = Monitor.objects.create(
                    name=_free_name(name), kind=kind, keys=keys, resolution=10, interval_s=10, top_n=TOP_N
                )
                monitor.groups.add(all_nodes())


def _free_name(wanted: str) -> str:
    name, n = wanted, 1
    while Monitor.objects.filter(name=name).exists():
        n += 1
        name = f"{wanted} ({n})"
    return name
