"""Bars of the groups that rank first: one number per group over the whole range, the rest as a grey `Other`."""

from __future__ import annotations

from typing import Any

import numpy as np
from django import forms

from dashboards.panels.labels import axis_title, group_label, metric_label, monitor_named
from dashboards.panels.panel import PAGE, Drawing, PanelKind, Setting, register
from dashboards.panels.theme import COLORWAY, METRIC_COLOR, OTHER, layout, typed
from dashboards.panels.units import full_text, scale_for
from dashboards.queries.frame import Frame, Series

ROW_PX = 24
FRAME_PX = 56
LONGEST_LABEL = 44


@register
class Bar(PanelKind):
    """Top groups as horizontal bars."""

    key = "bar"
    label = "Top N bars"
    description = "The groups that rank first, one bar each, over the whole range."
    icon = "chart-bar"
    place = 3
    points = 30

    class ConfigForm(forms.Form):
        other = forms.BooleanField(label="Show what is beyond the top N as Other", required=False)

    def draw(self, frame: Frame, config: dict[str, Any], setting: Setting = PAGE) -> Drawing:
        series = [item for item in frame.series if not item.compared and np.isfinite(item.whole)]
        if not config.get("other"):
            series = [item for item in series if not item.keys.get("other")]
        kinds = list(dict.fromkeys((item.metric, item.stat, item.unit) for item in series))
        unit = kinds[0][2] if kinds else ""
        kinds = [kind for kind in kinds if kind[2] == unit]
        scale = scale_for(unit, max((abs(item.whole) for item in series if item.unit == unit), default=0.0))
        labels = list(dict.fromkeys(group_label(monitor_named(item.keys, frame.names)) for item in series))
        traces = [_trace(frame, series, kind, number, scale) for number, kind in enumerate(kinds)]
        shown = [item for item in series if item.unit == unit]
        axis = {"title": {"text": axis_title(shown, scale.symbol)}, "showgrid": True, "rangemode": "tozero"}
        names = {"autorange": "reversed", "type": "category", "dtick": 1, "ticklabelstandoff": 6, "showgrid": False}
        figure = {
            "data": traces,
            "layout": layout(
                xaxis=axis, yaxis=names, showlegend=len(kinds) > 1, hovermode="closest", dragmode=False, barmode="group"
            ),
        }
        rows = max(len(labels), 1) * max(len(kinds), 1)
        return Drawing(figure=figure, height=max(FRAME_PX + ROW_PX * rows, 180))


def _trace(frame: Frame, series: list[Series], kind: tuple[str, str, str], number: int, scale: Any) -> dict[str, Any]:
    metric, stat, unit = kind
    mine = [item for item in series if (item.metric, item.stat) == (metric, stat)]
    labels = [group_label(monitor_named(item.keys, frame.names)) or metric_label(metric, stat) for item in mine]
    color = METRIC_COLOR.get(metric, COLORWAY[number % len(COLORWAY)])
    texts = [full_text(item.whole, unit) for item in mine]
    notes = ["<br>at least: a part may be in Other" if item.lower_bound else "" for item in mine]
    return {
        "type": "bar",
        "orientation": "h",
        "name": metric_label(metric, stat),
        "y": [shortened(label) for label in labels],
        "x": typed([item.whole * scale.factor for item in mine]),
        "text": texts,
        "textposition": "auto",
        "insidetextanchor": "end",
        "textfont": {"size": 11},
        "cliponaxis": False,
        # One bar alone would fill the card.
        "width": 0.72 * min(1.0, len(mine) / 5) if len(mine) < 5 else None,
        "marker": {"color": [OTHER if item.keys.get("other") else color for item in mine]},
        "customdata": list(map(list, zip(labels, notes, strict=True))),
        "hovertemplate": "%{customdata[0]}<br><b>%{text}</b>%{customdata[1]}<extra></extra>",
        "meta": {"filters": [frame.filters.get(str(item.keys), "") for item in mine]},
    }


def shortened(label: str) -> str:
    """Long labels lose their middle, where addresses differ least; the tooltip has all of it."""
    if len(label) <= LONGEST_LABEL:
        return label
    half = LONGEST_LABEL // 2
    return f"{label[: half - 1]}…{label[-half:]}"
