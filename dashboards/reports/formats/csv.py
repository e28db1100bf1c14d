"""CSV of every panel's data in one zip: the numbers behind the figures, for spreadsheets and scripts.

One file per panel, long form: time, keys, metric, stat, unit, value, samples. Times are ISO 8601 in UTC, decimals have
a dot, nothing is rounded; what was not measurable is empty, never 0. `summary/` has one value per group over the range.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.utils.text import slugify

from dashboards.queries.frame import Frame, Series, number
from dashboards.reports.document import Document, Section
from dashboards.reports.formats.format import ReportFormat, register

HEAD = ("metric", "stat", "unit", "value", "samples")


@register
class Csv(ReportFormat):
    """A zip of CSV files."""

    key = "csv"
    label = "CSV (zip)"
    description = "The data of every panel as CSV files in one zip"
    extension = "zip"
    content_type = "application/zip"
    fine = True

    def render(self, document: Document) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("about.json", json.dumps(_about(document), indent=2, ensure_ascii=False) + "\n")
            for position, section in enumerate(document.sections, 1):
                if section.frame is not None:
                    name = f"{position:02d}-{slugify(section.panel.title) or 'panel'}.csv"
                    archive.writestr(name, _text(_over_time(section.frame)))
                    archive.writestr(f"summary/{name}", _text(_whole_range(section.frame)))
        return buffer.getvalue()


def _about(document: Document) -> dict[str, Any]:
    return {
        "dashboard": document.title,
        "about": document.subtitle,
        "from": _iso(document.start),
        "to": _iso(document.end),
        "made": document.made.astimezone(UTC).isoformat(timespec="seconds"),
        "conventions": "Times are UTC. Empty cells were not measurable. Durations are seconds, rates per second.",
        "panels": [_panel(section) for section in document.sections],
    }


def _panel(section: Section) -> dict[str, Any]:
    out: dict[str, Any] = {"title": section.panel.title, "kind": section.panel.kind}
    if section.problem:
        return out | {"problem": section.problem}
    if section.frame is None or section.spec is None:
        return out
    frame = section.frame
    gaps = [[_iso(gap.start), _iso(gap.end), gap.reason] for gap in frame.gaps]
    changes = [[_iso(moment), text] for moment, text in frame.changes]
    out |= {"query": section.spec.to_json(), "step": frame.step, "gaps": gaps, "changes": changes}
    return out | {"warnings": frame.warnings}


def _over_time(frame: Frame) -> Iterator[tuple[Any, ...]]:
    keys = _keys(frame)
    yield ("time", *keys, *HEAD)
    times = [_iso(moment) for moment in frame.times.tolist()]
    for series in frame.series:
        labels = _labels(series, keys)
        for moment, value, samples in zip(times, series.values.tolist(), series.n.tolist(), strict=True):
            yield (moment, *labels, series.metric, series.stat, series.unit, _cell(value), _cell(samples))


def _whole_range(frame: Frame) -> Iterator[tuple[Any, ...]]:
    keys = _keys(frame)
    yield (*keys, *HEAD)
    for series in frame.series:
        labels = _labels(series, keys)
        yield (*labels, series.metric, series.stat, series.unit, _cell(series.whole), _cell(series.whole_n))


def _keys(frame: Frame) -> list[str]:
    return list(dict.fromkeys(key for series in frame.series for key in series.to_json()["keys"]))


def _labels(series: Series, keys: list[str]) -> list[Any]:
    named = series.to_json()["keys"]
    return ["" if named.get(key) is None else named[key] for key in keys]


def _cell(value: float) -> Any:
    found = number(value)
    return "" if found is None else found


def _text(rows: Iterator[tuple[Any, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
