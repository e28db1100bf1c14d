"""The time axis that panels share: x values in the range's zone, its title, and bands where data is missing.

Plotly draws dates as if they were UTC, so the zone's offset is added to each time; the axis says which zone that is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np

from dashboards.panels.theme import CHANGE, GAP_FILL
from dashboards.queries.frame import Frame
from dashboards.queries.timerange import zone_of

LABELLED_SHARE = 0.14
HOVER_WIDTH = 48


def x_of(frame: Frame, first: int = 0, stop: int | None = None) -> dict[str, Any]:
    """The trace attributes that place buckets first..stop: a start and a distance where the zone's offset is constant.

    Text otherwise: numbers on a date axis would be read in the zone of the browser.
    """
    times = [int(moment) for moment in frame.times[first:stop]]
    if not times:
        return {"x": []}
    if offset_ms(times[0], frame.zone) == offset_ms(times[-1], frame.zone):
        return {"x0": local_iso(times[0], frame.zone), "dx": frame.step * 1000}
    return {"x": [local_iso(moment, frame.zone) for moment in times]}


def offset_ms(moment: int, zone: str) -> int:
    offset = datetime.fromtimestamp(moment, zone_of(zone)).utcoffset()
    return int(offset.total_seconds() * 1000) if offset else 0


def iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def local_iso(moment: int, zone: str) -> str:
    return iso(moment * 1000 + offset_ms(moment, zone))


def time_axis(frame: Frame) -> dict[str, Any]:
    """Layout of the x axis: the whole asked range, whether or not it has data."""
    hover = "%Y-%m-%d %H:%M:%S" if frame.step % 60 else "%Y-%m-%d %H:%M"
    return {
        "type": "date",
        "range": [local_iso(frame.start, frame.zone), local_iso(frame.end, frame.zone)],
        "title": {"text": f"time ({frame.zone})", "font": {"size": 10}, "standoff": 4},
        "hoverformat": hover,
        "nticks": 9,
        "tickformatstops": [
            {"dtickrange": [None, 1000], "value": "%H:%M:%S.%L"},
            {"dtickrange": [1000, 60000], "value": "%H:%M:%S\n%b %-d"},
            {"dtickrange": [60000, 86400000], "value": "%H:%M\n%b %-d"},
            {"dtickrange": [86400000, "M1"], "value": "%b %-d\n%Y"},
            {"dtickrange": ["M1", None], "value": "%b %Y"},
        ],
    }


def gap_bands(frame: Frame) -> list[dict[str, Any]]:
    """A grey band per gap, with the reason written into it where there is room."""
    bands: list[dict[str, Any]] = []
    span = max(frame.end - frame.start, 1)
    for gap in frame.gaps:
        start, end = max(gap.start, frame.start), min(gap.end, frame.end)
        if end <= start:
            continue
        band: dict[str, Any] = {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": local_iso(start, frame.zone),
            "x1": local_iso(end, frame.zone),
            "y0": 0,
            "y1": 1,
            "fillcolor": GAP_FILL,
            "line": {"width": 0},
            "layer": "below",
        }
        if (end - start) / span > LABELLED_SHARE:
            band["label"] = {"text": gap.reason, "font": {"size": 10}, "textposition": "top left", "padding": 4}
        bands.append(band)
    return bands


def change_lines(frame: Frame) -> list[dict[str, Any]]:
    """A vertical line at each edit of a definition."""
    return [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": local_iso(moment, frame.zone),
            "x1": local_iso(moment, frame.zone),
            "y0": 0,
            "y1": 1,
            "line": {"color": CHANGE, "width": 1.2, "dash": "dashdot"},
        }
        for moment, _ in frame.changes
    ]


def change_texts(frame: Frame) -> list[dict[str, Any]]:
    """What each line says: a word beside it, and the whole of it where the pointer rests. Lines that are close to each
    other share the words of the first, so that none covers another's."""
    span = max(frame.end - frame.start, 1)
    shown: list[tuple[int, list[str]]] = []
    for moment, text in frame.changes:
        if shown and moment - shown[-1][0] < span * LABELLED_SHARE:
            shown[-1][1].append(text)
        else:
            shown.append((moment, [text]))
    return [_change_text(frame, moment, texts) for moment, texts in shown]


def _change_text(frame: Frame, moment: int, texts: list[str]) -> dict[str, Any]:
    # Right of its line, or left of it where the axis ends.
    is_late = moment - frame.start > (frame.end - frame.start) * (1 - LABELLED_SHARE)
    return {
        "x": local_iso(moment, frame.zone),
        "xref": "x",
        "y": 0,
        "yref": "paper",
        "xanchor": "right" if is_late else "left",
        "yanchor": "bottom",
        "text": "definition changed" if len(texts) == 1 else f"definition changed {len(texts)} times",
        "showarrow": False,
        # A flag at the line's foot, where lines seldom are: read in both themes, also over bars.
        "font": {"size": 9, "color": "#ffffff"},
        "bgcolor": CHANGE,
        "borderpad": 2,
        "hovertext": "<br>".join(escape(line) for text in texts for line in wrap(text, HOVER_WIDTH)),
        "captureevents": True,
    }


def lonely(values: np.ndarray) -> np.ndarray:
    """True for points without a measured neighbour: a line would not show them."""
    measured = np.isfinite(values)
    padded = np.r_[False, measured, False]
    return measured & ~padded[:-2] & ~padded[2:]
