"""A tile per group, worst first: the numbers of one monitor at a glance, coloured by the worst of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.template.loader import render_to_string

from dashboards.panels.labels import group_label, metric_label, monitor_named
from dashboards.panels.panel import PAGE, Drawing, PanelKind, Setting, register
from dashboards.panels.sparkline import sparkline
from dashboards.panels.status import LEVELS, level_of, reason, worst
from dashboards.panels.units import value_text
from dashboards.queries.frame import Frame, Series

LEVEL_TEXT = {"red": "Critical", "amber": "Degraded", "green": "Healthy", "grey": "Too few samples"}


@register
class Tiles(PanelKind):
    """Monitors side by side."""

    key = "tiles"
    label = "Tiles"
    description = "A tile per group (usually per monitor), worst first, coloured by threshold."
    icon = "layout-dashboard"
    place = 5
    points = 60
    own_card = False

    def draw(self, frame: Frame, config: dict[str, Any], setting: Setting = PAGE) -> Drawing:
        groups: dict[str, list[Series]] = {}
        for item in frame.series:
            if not item.compared:
                groups.setdefault(str(item.keys), []).append(item)
        tiles = sorted((_tile(frame, found, setting) for found in groups.values()), key=_rank)
        counts = {level: sum(tile["level"] == level for tile in tiles) for level in ("red", "amber", "green", "grey")}
        context = {"tiles": tiles, "counts": counts}
        return Drawing(html=render_to_string("panels/tiles.html", context))


def _tile(frame: Frame, found: list[Series], setting: Setting) -> dict[str, Any]:
    keys = found[0].keys
    level = worst([level_of(item) for item in found])
    has_data = any(np.isfinite(item.whole) for item in found)
    return {
        "name": group_label(monitor_named(keys, frame.names)) or "All traffic",
        "href": setting.link("monitor", str(keys.get("monitor", ""))),
        "level": level,
        "level_text": LEVEL_TEXT[level] if has_data else "No data in this range",
        "has_data": has_data,
        "numbers": [_number(item) for item in found],
        "spark": sparkline(found[0].values),
        "spark_label": metric_label(found[0].metric, found[0].stat),
    }


def _number(item: Series) -> dict[str, Any]:
    number, unit = value_text(item.whole, item.unit)
    label = metric_label(item.metric, item.stat)
    return {"label": label, "number": number, "unit": unit, "level": level_of(item), "title": reason(item)}


def _rank(tile: dict[str, Any]) -> tuple[int, str]:
    return (-LEVELS.index(tile["level"]) if tile["has_data"] else 1, tile["name"])
