"""What the bar above a dashboard says, and a panel's query under it: range, monitor, nodes, filter, step, comparison.

The bar lives in the URL, so that a link shows what its sender saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dashboards.models import Dashboard, Panel
from dashboards.models.panel import KEYS_VARIABLE, MONITOR_VARIABLE
from dashboards.queries.spec import QuerySpec, SpecError
from dashboards.queries.timerange import RangeError, TimeRange, zone_of
from monitors.models import Monitor

NOT_ASKED_BY = ("node",)


@dataclass(frozen=True)
class Bar:
    """The bar's words as they stand in the URL; empty means the panel's own."""

    range: TimeRange
    monitor: str = ""
    nodes: tuple[str, ...] = ()
    filter: str = ""
    step: str = "auto"
    compare: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, str], dashboard: Dashboard, zone: str = "UTC") -> Bar:
        chosen = params.get("zone") or zone
        try:
            zone_of(chosen)
        except RangeError:
            chosen = "UTC"
        start, end = params.get("from") or dashboard.default_start, params.get("to") or "now"
        return cls(
            range=TimeRange(start, end, chosen),
            monitor=params.get("monitor", "").strip(),
            nodes=tuple(name for name in params.get("nodes", "").split(",") if name),
            filter=params.get("filter", "").strip(),
            step=params.get("step") or "auto",
            compare=params.get("compare", ""),
        )

    def to_params(self) -> dict[str, str]:
        named = {
            "from": self.range.start,
            "to": self.range.end,
            "zone": self.range.zone,
            "monitor": self.monitor,
            "nodes": ",".join(self.nodes),
            "filter": self.filter,
            "step": "" if self.step == "auto" else self.step,
            "compare": self.compare,
        }
        return {name: value for name, value in named.items() if value}

    def query(self, panel: Panel) -> QuerySpec:
        """The panel's question under this bar; SpecError in plain words."""
        data: dict[str, Any] = dict(panel.query)
        monitors = [str(word) for word in data.get("monitors", ())]
        if MONITOR_VARIABLE in monitors:
            monitor = self.monitor_or_first()
            monitors = [monitor.slug if word == MONITOR_VARIABLE else word for word in monitors]
            if KEYS_VARIABLE in data.get("by", ()):
                data["by"] = [key for key in monitor.keys if key not in NOT_ASKED_BY]
        data |= {"monitors": monitors}
        data |= {"range": {"from": self.range.start, "to": self.range.end, "zone": self.range.zone}}
        if self.step != "auto":
            data["step"] = self.step
        if self.nodes:
            data["nodes"] = list(self.nodes)
        if self.compare:
            data["compare"] = self.compare
        spec = QuerySpec.from_json(data)
        return replace(spec, filter=both(spec.filter, self.filter))

    def monitor_or_first(self) -> Monitor:
        """The monitor the bar names by slug or number, else the first; SpecError if there is none."""
        monitors = Monitor.objects.about("conversations").order_by("-enabled", "name")
        if not self.monitor:
            found = monitors.first()
        elif self.monitor.isdecimal():
            found = monitors.filter(pk=int(self.monitor)).first()
        else:
            found = monitors.filter(slug=self.monitor).first()
        if found is None:
            raise SpecError("monitors", f'there is no monitor "{self.monitor}"' if self.monitor else "no monitor yet")
        return found


def both(one: str, other: str) -> str:
    if not one or not other:
        return one or other
    return f"({one}) and ({other})"
