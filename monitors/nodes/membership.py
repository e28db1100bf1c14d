"""Who is a member of a node group now, who was, and how the group is as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from monitors.models import Node, NodeGroup
from monitors.state import SEVERITY, State


def members(group: NodeGroup) -> list[Node]:
    """Those that the group's monitors ask now."""
    if group.is_all:
        return list(Node.objects.filter(left_at=None, capture=None))
    return list(group.nodes.all())


def former(group: NodeGroup) -> list[Node]:
    """Those that were found behind its address and are there no more, the latest first."""
    return list(group.found.exclude(left_at=None).order_by("-left_at"))


def state_of_group(group: NodeGroup, states: Sequence[State]) -> State:
    """The group in one sentence: what DNS refused, else how many of its members are well."""
    if group.error:
        return State("warning", f"{group.error}; its members stay as they were")
    if not states:
        return State("unknown", "No members yet")
    used = [found for found in states if found.key != "off"]
    down = sum(found.key == "down" for found in used)
    if down:
        return State("down" if down == len(used) else "warning", f"{down} of {len(used)} down")
    worst = max((found.key for found in used), key=SEVERITY.index, default="off")
    words = {"warning": "One or more need a look", "unknown": "Not asked yet", "off": "All switched off"}
    return State(worst, words.get(worst, f"All {len(used)} answer"))
