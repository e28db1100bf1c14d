"""Capture health: the nodes' own counters, by source, thread and reason. Is it the network, or is it the capture?"""

from __future__ import annotations

from monitors.kinds.kind import MonitorKind, register


@register
class CaptureHealth(MonitorKind):
    key = "capture_health"
    label = "Capture health"
    description = "What the capture nodes count of themselves: packets in, drops by reason, lag, fill levels, stages"
    subject = "node"
    keys = ("source", "thread", "reason", "node")
    scope = "the nodes themselves"
    has_filter = False
    is_of_nodes = True
    dashboard = "capture-health"
