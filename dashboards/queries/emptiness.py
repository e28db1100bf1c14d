"""Why is this empty? The most likely reason in plain words, with the next step, cheapest checks first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboards.queries.frame import Frame
from dashboards.queries.spec import QuerySpec
from dashboards.queries.subjects import Subjects
from dashboards.queries.timerange import span_text
from monitors.models import Monitor, Pull


@dataclass(frozen=True)
class Emptiness:
    """`kept` is the span that has data, for the button that goes there; `href` another next step."""

    title: str
    text: str = ""
    kept: tuple[int, int] | None = None
    href: str = ""
    action: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("title", "text", "kept", "href", "action")}


def explain(spec: QuerySpec, subjects: Subjects, frame: Frame) -> Emptiness:
    """The reason why a frame has no value at all."""
    if not subjects.monitors:
        return Emptiness("No monitor yet", "A monitor says which traffic to watch.", href="/welcome/", action="Set up")
    if frame.kept and not _overlaps(frame.kept, frame):
        return Emptiness("No data in this range", f"Data from {span_text(*frame.kept, frame.zone)}.", frame.kept)
    if frame.kept is None:
        return _never_any(subjects.monitors)
    if spec.filter:
        return Emptiness("Nothing matched the filter", f"No conversation here matches: {spec.filter}")
    if frame.gaps:
        return Emptiness("Nothing was captured in this range", f"{frame.gaps[0].reason}.", frame.kept)
    measured = any((series.n > 0).any() for series in frame.series)
    if not measured:
        return Emptiness(
            "Nothing to measure in this range", "There was no traffic of the kind that this panel measures."
        )
    return Emptiness("No data in this range", f"Data from {span_text(*frame.kept, frame.zone)}.", frame.kept)


def _overlaps(kept: tuple[int, int], frame: Frame) -> bool:
    return kept[0] < frame.end and frame.start < kept[1]


def _never_any(monitors: list[Monitor]) -> Emptiness:
    monitor = monitors[0]
    name = monitor.name if len(monitors) == 1 else "These monitors"
    if len(monitors) == 1 and not monitor.enabled:
        return Emptiness(f"{name} is switched off", "Switch it on to pull its data.", href=monitor.get_absolute_url())
    pulls = list(Pull.objects.filter(monitor__in=monitors).select_related("node"))
    broken = next((pull for pull in pulls if pull.error), None)
    if broken:
        return Emptiness(f"{broken.node.name} cannot be asked", broken.error, href="/nodes/", action="See the nodes")
    if any(pull.covered for pull in pulls):
        return Emptiness("Nothing matched so far", f"{name}: no packet has matched the criteria yet.")
    if not any(monitor.targets.exists() for monitor in monitors):
        return Emptiness(f"{name} has no node", "Choose the nodes that it asks.", href=monitor.get_absolute_url())
    return Emptiness("Waiting for the first answer", f"{name}: the nodes are being asked; data appears within seconds.")
