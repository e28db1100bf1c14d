"""Lines, areas or stacked bars over time. Where nothing was measured the line breaks: a gap is never drawn as 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from django import forms

from dashboards.panels.labels import axis_title, series_names
from dashboards.panels.panel import PAGE, Drawing, PanelKind, Setting, register
from dashboards.panels.status import threshold_of
from dashboards.panels.theme import AMBER, COLORWAY, METRIC_COLOR, OTHER, RED, STAT_COLOR, faded, layout, typed
from dashboards.panels.timeaxis import change_lines, change_texts, gap_bands, lonely, time_axis, x_of
from dashboards.panels.units import Scale, scale_for
from dashboards.queries.frame import Frame, Series

STYLES = (("line", "Lines"), ("area", "Areas"), ("stack", "Stacked bars"))
# Beyond this many pieces an area is only noise.
MAX_RUNS = 40
HOVER = "%{y:,.4~r}"


@register
class TimeSeries(PanelKind):
    """Metrics over time."""

    key = "timeseries"
    label = "Time series"
    description = "Metrics over time as lines, areas or stacked bars."
    icon = "chart-line"
    place = 1

    class ConfigForm(forms.Form):
        style = forms.ChoiceField(choices=STYLES, initial="line", required=False)
        log = forms.BooleanField(label="Logarithmic scale", required=False)
        thresholds = forms.BooleanField(label="Draw amber and red thresholds", required=False)

    def draw(self, frame: Frame, config: dict[str, Any], setting: Setting = PAGE) -> Drawing:
        style = config.get("style") or "line"
        units = list(dict.fromkeys(series.unit for series in frame.series))[:2]
        scales = {unit: scale_for(unit, peak(frame, unit, stacked=style == "stack")) for unit in units}
        drawn = tuple(
            item for item in frame.series if np.isfinite(item.values).any() or np.isfinite(item.partial).any()
        )
        if style == "stack":
            # Outcomes that never happened would only fill the legend.
            drawn = tuple(item for item in drawn if np.nansum(item.values) > 0) or drawn[:1]
        names = series_names(drawn, frame.names)
        colors = colors_of(drawn, list(frame.names))
        traces = []
        for item, name, color in zip(drawn, names, colors, strict=True):
            if item.unit in scales:
                axis = units.index(item.unit)
                if style == "area" and not item.compared:
                    traces += _fills(frame, item, color, scales[item.unit], axis)
                traces.append(_trace(frame, item, name, color, scales[item.unit], style, axis))
                if np.isfinite(item.partial).any() and style != "stack":
                    traces.append(_partial(frame, item, name, color, scales[item.unit], axis))
        figure = {"data": traces, "layout": _layout(frame, config, units, scales, style)}
        return Drawing(figure=figure)


def peak(frame: Frame, unit: str, stacked: bool = False) -> float:
    """Largest value drawn on this unit's axis."""
    rows = [item.values for item in frame.series if item.unit == unit and np.isfinite(item.values).any()]
    if not rows:
        return 0.0
    if stacked:
        return float(np.nansum(rows, axis=0).max())
    return float(max(np.nanmax(row) for row in rows))


def colors_of(series: tuple[Series, ...], monitors: list[str]) -> list[str]:
    """Stats and outcomes have colours of their own; a monitor has the same on every panel; `other` is grey."""
    groups = list(dict.fromkeys(str(item.keys) for item in series))
    if all(list(item.keys) == ["monitor"] for item in series):
        groups = [str({"monitor": slug}) for slug in monitors]
    kinds = list(dict.fromkeys((item.metric, item.stat) for item in series))
    metrics = {item.metric for item in series}
    out = []
    for item in series:
        if item.keys.get("other"):
            out.append(OTHER)
        elif len(groups) > 1:
            out.append(COLORWAY[groups.index(str(item.keys)) % len(COLORWAY)])
        elif len(metrics) == 1 and item.stat in STAT_COLOR and len(kinds) > 1:
            out.append(STAT_COLOR[item.stat])
        else:
            fallback = COLORWAY[kinds.index((item.metric, item.stat)) % len(COLORWAY)]
            out.append(METRIC_COLOR.get(item.metric, fallback))
    return out


def _trace(frame: Frame, item: Series, name: str, color: str, scale: Scale, style: str, axis: int) -> dict[str, Any]:
    values = item.values * scale.factor
    trace: dict[str, Any] = {
        "name": name,
        **x_of(frame),
        "y": typed(values),
        "hovertemplate": f"{HOVER} {scale.symbol}".replace(" %", "\u202f%"),
        "meta": {"group": item.keys, "filter": frame.filters.get(str(item.keys), "")},
    }
    if axis:
        trace["yaxis"] = "y2"
    if style == "stack" and not item.compared:
        return trace | {"type": "bar", "marker": {"color": color}}
    line = {"color": color, "width": 1.7}
    if item.compared:
        line |= {"dash": "dot", "width": 1.2, "color": faded(color, 0.65)}
    trace |= {"type": "scatter", "mode": "lines", "line": line, "connectgaps": False}
    alone = lonely(item.values)
    if alone.any():
        trace |= {
            "mode": "lines+markers",
            "marker": {"color": color, "size": typed(alone * 4, "u1"), "line": {"width": 0}},
        }
    return trace


def _fills(frame: Frame, item: Series, color: str, scale: Scale, axis: int) -> list[dict[str, Any]]:
    """The area under a line, one trace per measured run: Plotly's own fill would run on through a gap."""
    edges = np.flatnonzero(np.diff(np.r_[False, np.isfinite(item.values), False].astype(int)))
    look: dict[str, Any] = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "fill": "tozeroy"}
    look |= {"fillcolor": faded(color, 0.16), "hoverinfo": "skip", "showlegend": False, "name": ""}
    look |= {"yaxis": "y2"} if axis else {}
    runs = edges.reshape(-1, 2)
    if len(runs) > MAX_RUNS:
        return []
    return [
        look | x_of(frame, first, stop) | {"y": typed(item.values[first:stop] * scale.factor)} for first, stop in runs
    ]


def _partial(frame: Frame, item: Series, name: str, color: str, scale: Scale, axis: int) -> dict[str, Any]:
    """What the nodes saw that were there while another was missing: faint dots under the true value."""
    trace: dict[str, Any] = {
        "name": f"{name}, in part",
        **x_of(frame),
        "y": typed(item.partial * scale.factor),
        "type": "scatter",
        "mode": "lines",
        "line": {"color": faded(color, 0.55), "width": 1.2, "dash": "dot"},
        "connectgaps": False,
        "showlegend": False,
        "hovertemplate": f"at least {HOVER} {scale.symbol}",
    }
    return trace | {"yaxis": "y2"} if axis else trace


def _layout(frame: Frame, config: dict[str, Any], units: list[str], scales: dict[str, Scale], style: str) -> dict:
    shapes = gap_bands(frame) + change_lines(frame)
    out = layout(xaxis=time_axis(frame), hovermode="x unified", uirevision=f"{frame.start}-{frame.end}")
    for number, unit in enumerate(units):
        series = [item for item in frame.series if item.unit == unit]
        axis: dict[str, Any] = {"title": {"text": axis_title(series, scales[unit].symbol)}, "rangemode": "tozero"}
        if config.get("log"):
            axis |= {"type": "log", "rangemode": "normal", "dtick": 1}
        if number:
            axis |= {"overlaying": "y", "side": "right", "showgrid": False, "tickmode": "auto"}
        if unit == "%" and not config.get("log"):
            axis["rangemode"] = "nonnegative"
        out["yaxis2" if number else "yaxis"] = axis
        if config.get("thresholds"):
            shapes += _threshold_lines(series, scales[unit], peak(frame, unit), "y2" if number else "y")
    if style == "stack":
        out |= {"barmode": "stack", "bargap": 0}
    out |= {"shapes": shapes, "annotations": change_texts(frame)}
    out["showlegend"] = len(frame.series) > 1 or any(item.keys for item in frame.series)
    return out


def _threshold_lines(series: list[Series], scale: Scale, highest: float, axis: str) -> list[dict[str, Any]]:
    """Amber and red as dashed lines, once values come near enough that the line does not flatten them; none where
    lines of several monitors are judged by values of their own."""
    judged = next((item for item in series if threshold_of(item)), None)
    threshold = threshold_of(judged) if judged else None
    if judged is None or threshold is None:
        return []
    alike = [item for item in series if (item.metric, item.stat) == (judged.metric, judged.stat)]
    if any(threshold_of(item) != threshold for item in alike if not item.keys.get("other")):
        return []
    lines = []
    for value, color in ((threshold.amber, AMBER), (threshold.red, RED)):
        if highest >= 0.6 * value:
            at = value * scale.factor
            place = {"xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": at, "y1": at}
            lines.append({"type": "line", **place, "line": {"color": color, "width": 1, "dash": "dash"}})
    return lines
