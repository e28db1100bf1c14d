"""Network health: volume, TCP timing, connections and loss of the conversations that match the filter."""

from __future__ import annotations

from typing import Any

from monitors.kinds.kind import MonitorKind, register


@register
class NetworkHealth(MonitorKind):
    key = "network_health"
    label = "Network health"
    description = "Throughput, latency percentiles, connections and loss of the traffic that matches a filter"

    def query(self, filter_text: str, keys: list[str], config: dict[str, Any]) -> dict[str, Any]:
        by = [key for key in keys if key != "node"]
        return {"subject": self.subject, "filter": filter_text, "by": by}
