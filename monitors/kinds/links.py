"""Links: what came over each VNI of the mirror, whole, with its bursts of one millisecond."""

from __future__ import annotations

from monitors.kinds.kind import MonitorKind, register


@register
class Links(MonitorKind):
    key = "links"
    label = "Links"
    description = "Packets, bytes, bursts of 1 ms and truncated packets of each VNI of the mirror"
    subject = "points"
    keys = ("vni", "node")
    scope = "every link"
    has_filter = False
    is_of_nodes = True
    dashboard = "capture-health"
