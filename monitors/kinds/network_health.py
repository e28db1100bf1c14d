"""Network health: volume, TCP timing, connections and loss of the conversations that match the filter."""

from __future__ import annotations

from monitors.kinds.kind import MonitorKind, register


@register
class NetworkHealth(MonitorKind):
    key = "network_health"
    label = "Network health"
    description = "Throughput, latency percentiles, connections and loss of the traffic that matches a filter"
