"""Why is this empty? The most likely reason in plain words, with the next step, cheapest checks first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.queries.frame import Frame
from dashboards.queries.history import LACKING
from dashboards.queries.spec import QuerySpec
from dashboards.queries.subjects import Subjects
from dashboards.queries.timerange import span_text, zone_of
from monitors.intervals import clip, length, normalized
from monitors.models import Group, Monitor, Pull
from monitors.series.coverage import STALE_S

TITLES = {
    "down": "Nothing was fetched in this range",
    "unfetched": "Not fetched yet",
    "lost": "No longer kept",
    "idle": "Nothing was captured in this range",
}
VNI = re.compile(r"\bvni\s+(\d+)")
MOST_NAMED = 8
MOSTLY = 0.5


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
        text = f"Data from {span_text(*frame.kept, frame.zone)}."
        down = _down_since(subjects, frame) if frame.start >= frame.kept[1] else ""
        return Emptiness("No data in this range", f"{down} {text}".strip(), frame.kept)
    if frame.kept is None:
        return _never_any(subjects.monitors)
    lacking = next((text for text in frame.warnings if text.endswith(LACKING)), "")
    if lacking:
        return Emptiness("Not kept at that time", lacking, frame.kept)
    if _unseen_share(frame) >= MOSTLY:
        return _gaps(frame)
    if spec.filter:
        return _unmatched(spec, subjects)
    measured = any((series.n > 0).any() for series in frame.series)
    if not measured:
        text = "There was no traffic of the kind that this panel measures."
        return Emptiness(
            "Nothing to measure in this range", f"{text} {_gaps(frame).text if frame.gaps else ''}".strip()
        )
    return Emptiness("No data in this range", f"Data from {span_text(*frame.kept, frame.zone)}.", frame.kept)


def _unseen_share(frame: Frame) -> float:
    """How much of the range no node saw at all."""
    unseen = normalized((gap.start, gap.end) for gap in frame.gaps if gap.total)
    return length(clip(unseen, frame.start, frame.end)) / max(frame.end - frame.start, 1)


def _overlaps(kept: tuple[int, int], frame: Frame) -> bool:
    return kept[0] < frame.end and frame.start < kept[1]


def _gaps(frame: Frame) -> Emptiness:
    """What fills most of the range decides the title; the text has every reason, the longest first."""
    lengths: dict[tuple[str, str], int] = {}
    for gap in frame.gaps:
        lengths[gap.kind, gap.reason] = lengths.get((gap.kind, gap.reason), 0) + gap.end - gap.start
    reasons = sorted(lengths, key=lambda reason: -lengths[reason])
    text = "; ".join(reason for _, reason in reasons[:MOST_NAMED])
    more = f"; and {len(reasons) - MOST_NAMED} more" if len(reasons) > MOST_NAMED else ""
    is_down = reasons[0][0] == "down"
    title = TITLES.get(reasons[0][0], TITLES["idle"])
    text = f"{text[:1].upper() + text[1:] if reasons[0][0] == 'unfetched' else text}{more}."
    if is_down:
        return Emptiness(title, text, frame.kept, href="/nodes/", action="See the nodes")
    return Emptiness(title, text, frame.kept)


def _unmatched(spec: QuerySpec, subjects: Subjects) -> Emptiness:
    """A VNI that was never seen is most often a mirror that was never set up, or a wrong digit."""
    text = f"No conversation here matches: {spec.filter}"
    keeping = [monitor.pk for monitor in subjects.monitors if "vni" in monitor.keys]
    asked = [int(number) for number in VNI.findall(spec.filter)]
    if keeping and asked:
        groups = Group.objects.filter(monitor_id__in=keeping, vni__isnull=False)
        seen = groups.order_by().values_list("vni", flat=True).distinct()
        known = sorted(vni for vni in seen[:1000] if vni is not None)
        never = [number for number in asked if number not in known]
        if never and known:
            some = ", ".join(map(str, known[:MOST_NAMED])) + (", ..." if len(known) > MOST_NAMED else "")
            return Emptiness(f"VNI {never[0]} was never seen", f"Seen so far: {some}.")
    return Emptiness("Nothing matched the filter", text)


def _down_since(subjects: Subjects, frame: Frame) -> str:
    """The nodes whose last call failed, with the moment up to which they were there."""
    zone = zone_of(frame.zone)
    said = []
    for node, pulls in _pulls_by_node(subjects.monitors).items():
        error = next((pull.error or pull.node.error for pull in pulls if pull.error or pull.node.error), "")
        until = max((pull.covered[-1][1] for pull in pulls if pull.covered), default=None)
        if error and until is not None and frame.end - until > STALE_S:
            said.append(f"{node} is down since {datetime.fromtimestamp(until, zone):%Y-%m-%d %H:%M} ({error}).")
    return " ".join(said[:MOST_NAMED])


def _pulls_by_node(monitors: list[Monitor]) -> dict[str, list[Pull]]:
    found: dict[str, list[Pull]] = {}
    for pull in Pull.objects.filter(monitor__in=monitors).select_related("node").order_by("node__name"):
        found.setdefault(pull.node.name, []).append(pull)
    return found


def _never_any(monitors: list[Monitor]) -> Emptiness:
    monitor = monitors[0]
    name = monitor.name if len(monitors) == 1 else "These monitors"
    if len(monitors) == 1 and not monitor.enabled:
        return Emptiness(f"{name} is switched off", "Switch it on to pull its data.", href=monitor.get_absolute_url())
    if not any(one.targets.exists() for one in monitors):
        return _no_node(monitor, name)
    pulls = list(Pull.objects.filter(monitor__in=monitors).select_related("node"))
    broken = next((pull for pull in pulls if pull.error or pull.node.error), None)
    if broken and not any(pull.covered for pull in pulls):
        error = broken.error or broken.node.error
        return Emptiness(f"{broken.node.name} cannot be asked", error, href="/nodes/", action="See the nodes")
    if any(pull.covered for pull in pulls):
        return Emptiness("Nothing matched so far", f"{name}: no packet has matched the criteria yet.")
    return Emptiness("Waiting for the first answer", f"{name}: the nodes are being asked; data appears within seconds.")


def _no_node(monitor: Monitor, name: str) -> Emptiness:
    """It names no node, or only groups that have no member yet."""
    groups = list(monitor.groups.all())
    if not groups:
        return Emptiness(f"{name} has no node", "Choose the nodes that it asks.", href=monitor.get_absolute_url())
    empty = ", ".join(group.name for group in groups)
    text = f"It asks the members of {empty}, which has none yet: add nodes to the group, or let it find them."
    return Emptiness(f"{name} has no node", text, href=f"/nodes/groups/{groups[0].pk}/", action="See the group")
