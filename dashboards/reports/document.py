"""A dashboard over one range as a document: what every report format renders. No request, no HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from dashboards.models import Dashboard, Panel
from dashboards.panels.panel import PANELS
from dashboards.queries.bar import Bar
from dashboards.queries.frame import Frame
from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec, SpecError
from dashboards.queries.timerange import MAX_POINTS, span_text


@dataclass(frozen=True)
class Section:
    """One panel with its answer, or with the reason why there is none."""

    panel: Panel
    spec: QuerySpec | None = None
    frame: Frame | None = None
    problem: str = ""


@dataclass(frozen=True)
class Document:
    """`start` and `end` are epoch seconds; `made` is the moment of the questions."""

    title: str
    subtitle: str
    start: int
    end: int
    zone: str
    made: datetime
    sections: list[Section] = field(default_factory=list)

    @property
    def range_text(self) -> str:
        return span_text(self.start, self.end, self.zone)

    @property
    def file_stem(self) -> str:
        """ASCII, without spaces, sorted by time: "cclear-monitor-20120304T100000Z"."""
        name = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in self.title.lower())
        return f"cclear-{name.strip('-')}-{datetime.fromtimestamp(self.start, UTC):%Y%m%dT%H%M%SZ}"


def make_document(dashboard: Dashboard, bar: Bar, now: datetime, fine: bool = False) -> Document:
    """Ask every panel's question once; `fine` asks for as many points as an answer may have."""
    start, end = bar.range.resolve(now)
    sections = [_section(panel, bar, now, fine) for panel in dashboard.panels.all()]
    subtitle = dashboard.description
    if dashboard.has_monitor:
        try:
            subtitle = bar.monitor_or_first().name
        except SpecError as error:
            subtitle = error.message
    return Document(dashboard.title, subtitle, start, end, bar.range.zone, now, sections)


def _section(panel: Panel, bar: Bar, now: datetime, fine: bool) -> Section:
    kind = PANELS[panel.kind]
    if not kind.needs_query:
        return Section(panel)
    try:
        spec = bar.query(panel)
        return Section(panel, spec, run(spec, now, MAX_POINTS if fine else kind.points))
    except SpecError as error:
        return Section(panel, problem=error.message)
