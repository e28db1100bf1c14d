"""One self-contained HTML file: figures that can be zoomed, tables, and plotly.js inside; it opens without network.

It is drawn as on the screen, in the light theme, on plain system fonts: a file that is mailed, archived or printed.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from dashboards.panels.panel import PANELS, Setting
from dashboards.panels.theme import template
from dashboards.queries.frame import Frame
from dashboards.queries.timerange import span_text, step_text
from dashboards.reports.document import Document, Section
from dashboards.reports.formats.format import ReportFormat, register

ON_PAPER = Setting()
# Web fonts are files of their own, which a single file has not.
_FONT = re.compile(r"@font-face \{[^}]*\}")
STYLES = ("css/tokens.css", "css/dashboard.css", "css/report.css")


@register
class Html(ReportFormat):
    """A single HTML file."""

    key = "html"
    label = "HTML (one file)"
    description = "All panels in one HTML file that opens without network"
    extension = "html"
    content_type = "text/html; charset=utf-8"

    def render(self, document: Document) -> bytes:
        sections = [_drawn(section, document) for section in document.sections]
        figures = {item["id"]: item["figure"] for item in sections if item["figure"]}
        context = {
            "document": document,
            "sections": sections,
            "style": mark_safe(_FONT.sub("", "\n".join(_text(path) for path in STYLES))),
            "plotly": _plotly() if figures else "",
            "figures": _embedded(figures),
            "template": _embedded(template("light")),
        }
        return render_to_string("reports/dashboard.html", context).encode()


def _drawn(section: Section, document: Document) -> dict[str, Any]:
    panel, kind = section.panel, PANELS[section.panel.kind]
    out: dict[str, Any] = {"id": f"panel-{panel.pk}", "panel": panel, "problem": section.problem, "figure": None}
    out |= {"height": panel.height or kind.height, "bare": not kind.own_card, "notes": []}
    frame = section.frame
    if section.problem or (frame is None and kind.needs_query):
        return out
    if frame is not None:
        out["notes"] = _notes(frame)
        if frame.is_empty and kind.own_card:
            return out | {"problem": "No data in this range"}
    drawing = kind.draw(frame or _nothing(document), panel.config, ON_PAPER)
    return out | {"figure": drawing.figure, "html": mark_safe(drawing.html), "height": drawing.height or out["height"]}


def _nothing(document: Document) -> Frame:
    empty = np.zeros(0, dtype=np.int64)
    return Frame(times=empty, series=(), step=1, tier=1, start=document.start, end=document.end)


def _notes(frame: Frame) -> list[str]:
    gaps = [f"{span_text(gap.start, gap.end, frame.zone)}: {gap.reason}" for gap in frame.gaps[:20]]
    return [f"step {step_text(frame.step)}", *gaps, *frame.warnings]


def _embedded(value: Any) -> SafeString:
    """JSON that may stand inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return mark_safe(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


@lru_cache(maxsize=8)
def _text(path: str) -> str:
    found = finders.find(path)
    return Path(str(found)).read_text() if found else ""


@lru_cache(maxsize=1)
def _plotly() -> SafeString:
    """plotly.js as the pages load it, else the copy inside the plotly package; safe inside a script element."""
    text = _text("vendor/plotly-cartesian.min.js")
    if not text:
        from plotly.offline import get_plotlyjs

        text = get_plotlyjs()
    return mark_safe(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))
