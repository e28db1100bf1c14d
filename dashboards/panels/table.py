"""A table of groups: keys, then one column per metric over the whole range; sortable, each row with its filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django import forms
from django.template.loader import render_to_string

from cstor.metrics.columns import METRICS
from dashboards.panels.labels import KEY_LABEL, LABELS, key_text, metric_label, monitor_named
from dashboards.panels.panel import PAGE, Drawing, PanelKind, Setting, register
from dashboards.panels.status import level_of, reason
from dashboards.panels.units import full_text
from dashboards.queries.frame import Frame, Series

AT_LEAST = " At least this much: in some steps a part may be in Other."


@register
class Table(PanelKind):
    """Groups as rows, metrics as columns."""

    key = "table"
    label = "Table"
    description = "Groups as rows and metrics as columns; click a heading to sort."
    icon = "table"
    place = 4
    points = 30

    class ConfigForm(forms.Form):
        bars = forms.BooleanField(label="Draw a bar behind the first metric", required=False, initial=True)

    def draw(self, frame: Frame, config: dict[str, Any], setting: Setting = PAGE) -> Drawing:
        context = table_of(frame, setting) | {"bars": config.get("bars", True), "paper": not setting.links}
        return Drawing(html=render_to_string("panels/table.html", context))


def table_of(frame: Frame, setting: Setting) -> dict[str, Any]:
    """Headings and rows of a frame, for pages and paper."""
    series = [item for item in frame.series if not item.compared]
    groups: dict[str, list[Series]] = {}
    for item in series:
        groups.setdefault(str(item.keys), []).append(item)
    keys = list(dict.fromkeys(key for item in series for key in item.keys if key != "other"))
    metrics = list(dict.fromkeys((item.metric, item.stat) for item in series))
    named = [item for item in series if not item.keys.get("other") and np.isfinite(item.whole)]
    peaks = {
        metric: max((item.whole for item in named if (item.metric, item.stat) == metric), default=0)
        for metric in metrics
    }
    return {
        "keys": [KEY_LABEL.get(key, key) for key in keys] or (["Range"] if series else []),
        "metrics": [
            {"label": label, "help": METRICS[metric[0]].help}
            for metric, label in zip(metrics, _headings(metrics), strict=True)
        ],
        "rows": [_row(frame, found, keys, metrics, peaks, setting) for found in groups.values()],
        "other_share": frame.other_share,
    }


def _headings(metrics: list[tuple[str, str]]) -> list[str]:
    """Labels of columns; two of one label are told apart by their unit."""
    labels = [metric_label(*metric) for metric in metrics]
    units = [METRICS[key].symbol_of(stat) for key, stat in metrics]
    return [
        f"{label} ({unit})" if labels.count(label) > 1 else label for label, unit in zip(labels, units, strict=True)
    ]


def _row(
    frame: Frame,
    found: list[Series],
    keys: list[str],
    metrics: list[tuple[str, str]],
    peaks: dict[tuple[str, str], float],
    setting: Setting,
) -> dict[str, Any]:
    by_metric = {(item.metric, item.stat): item for item in found}
    named = monitor_named(found[0].keys, frame.names)
    is_other = bool(found[0].keys.get("other"))
    filter_text = "" if is_other else frame.filters.get(str(found[0].keys), "")
    cells = [_cell(by_metric.get(metric), peaks[metric]) for metric in metrics]
    texts = [key_text(key, named.get(key)) for key in keys]
    return {
        "keys": ["Other", *[""] * (len(keys) - 1)] if is_other else texts or ["whole range"],
        "cells": cells,
        "is_other": is_other,
        "filter": filter_text,
        "href": setting.link("filter", filter_text),
        "packets": setting.link("packets", filter_text),
        "monitor": _monitor_of(found[0].keys, setting),
    }


def _monitor_of(keys: Mapping[str, Any], setting: Setting) -> str:
    """Where one makes a monitor out of a row's label; only of one, since two of them are no filter of one label."""
    labels = [(key, value) for key, value in keys.items() if key in LABELS and value]
    if len(labels) != 1 or "label" not in setting.links:
        return ""
    return setting.links["label"] + urlencode({"key": labels[0][0], "name": labels[0][1]})


def _cell(item: Series | None, peak: float) -> dict[str, Any]:
    if item is None:
        return {"text": "", "sort": "", "level": "plain"}
    share = item.whole / peak * 100 if np.isfinite(item.whole) and peak > 0 else 0
    return {
        "text": full_text(item.whole, item.unit),
        "sort": f"{item.whole:.9g}" if np.isfinite(item.whole) else "",
        "share": f"{min(max(share, 0), 100):.1f}",
        "level": level_of(item),
        "title": f"{reason(item)} {item.whole_n:,.0f} samples.{AT_LEAST if item.lower_bound else ''}",
    }
