"""Single values: each metric as a large number over the whole range, coloured by its threshold, with its trend."""

from __future__ import annotations

from typing import Any

import numpy as np
from django import forms
from django.template.loader import render_to_string

from dashboards.panels.labels import COMPARED, group_label, metric_label, monitor_named
from dashboards.panels.panel import PAGE, Drawing, PanelKind, Setting, register
from dashboards.panels.sparkline import sparkline
from dashboards.panels.status import level_of, reason
from dashboards.panels.units import value_text
from dashboards.queries.frame import Frame, Series


@register
class Value(PanelKind):
    """Large numbers, one per metric."""

    key = "value"
    label = "Single value"
    description = "One large number per metric over the whole range, with its trend and colour by threshold."
    icon = "number-123"
    place = 2
    points = 60
    own_card = False

    class ConfigForm(forms.Form):
        trend = forms.BooleanField(label="Draw the trend", required=False, initial=True)

    def draw(self, frame: Frame, config: dict[str, Any], setting: Setting = PAGE) -> Drawing:
        past = {(item.metric, item.stat, str(item.keys)): item for item in frame.series if item.compared}
        values = [_value(frame, item, past) for item in frame.series if not item.compared]
        context = {"values": values, "trend": config.get("trend", True)}
        return Drawing(html=render_to_string("panels/value.html", context))


def _value(frame: Frame, item: Series, past: dict[tuple[str, str, str], Series]) -> dict[str, Any]:
    number, unit = value_text(item.whole, item.unit)
    earlier = past.get((item.metric, item.stat, str(item.keys)))
    return {
        "label": metric_label(item.metric, item.stat),
        "group": group_label(monitor_named(item.keys, frame.names)),
        "number": number,
        "unit": unit,
        "level": level_of(item),
        "title": reason(item),
        "spark": sparkline(item.values),
        "change": _change(item, earlier) if earlier else "",
    }


def _change(item: Series, earlier: Series) -> str:
    if not (np.isfinite(item.whole) and np.isfinite(earlier.whole)) or earlier.whole == 0:
        return ""
    return f"{(item.whole / earlier.whole - 1) * 100:+.0f} % against {COMPARED[earlier.compared]}"
