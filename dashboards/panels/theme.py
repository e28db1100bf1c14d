"""How figures look: two Plotly templates (dark, light) and the colours that mean something in both.

Figures carry no template: the page adds the one of its theme, so that a change of theme needs no new answer. Text is
the system's interface font at 12 px; grids are faint, lines thin, so that many panels stand calmly beside each other.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

FONT = '"Inter Variable", Inter, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
THEMES = ("light", "dark")

COLORWAY = (
    "#3b82f6",
    "#12b5a5",
    "#f2a33a",
    "#9b7bf0",
    "#ef6a6a",
    "#4fae52",
    "#e06bb0",
    "#2bb3d6",
    "#c7a13a",
    "#7d8fa9",
)
OTHER = "#8a97ab"
AMBER = "#f59f00"
RED = "#e5484d"
GREEN = "#2fb344"
CHANGE = "#7c5cd6"
GAP_FILL = "rgba(128,140,160,0.16)"

STAT_COLOR = {"p50": "#2fb5b0", "p90": "#6aa5f8", "p95": "#3b82f6", "p99": "#f2a33a", "max": "#ef6a6a"}
METRIC_COLOR = {
    "established": "#2fa36b",
    "new_connections": "#2fa36b",
    "closed": "#7d8fa9",
    "refused": "#e5484d",
    "unreachable": "#c026d3",
    "unanswered": "#f2a33a",
    "half_open": "#eab308",
    "client_aborted": "#9b7bf0",
    "reset_by_client": "#f08c5a",
    "reset_by_server": "#d9480f",
    "timed_out": "#868e96",
    "failures": "#e5484d",
    "throughput": "#3b82f6",
    "server_latency": "#12b5a5",
    "network_latency": "#3b82f6",
}

_INK = {
    "light": {"text": "#46536a", "strong": "#182433", "grid": "#e9edf3", "line": "#d3dae4", "card": "#ffffff"},
    "dark": {"text": "#93a1b8", "strong": "#e6ebf3", "grid": "#1f2b3d", "line": "#2d3c53", "card": "#182233"},
}


def template(theme: str) -> dict[str, Any]:
    """The Plotly template of one theme, as a plain dict."""
    ink = _INK[theme]
    axis = {
        "gridcolor": ink["grid"],
        "linecolor": ink["line"],
        "zerolinecolor": ink["line"],
        "tickcolor": ink["line"],
        "tickfont": {"size": 11, "color": ink["text"]},
        "title": {"font": {"size": 11, "color": ink["text"]}, "standoff": 6},
        "automargin": True,
        "zeroline": False,
    }
    spike = {"spikecolor": ink["text"], "spikethickness": -1, "spikedash": "solid"}
    return {
        "layout": {
            "font": {"family": FONT, "size": 12, "color": ink["text"]},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(COLORWAY),
            "xaxis": axis | {"showgrid": False, "showline": True, "ticks": "outside", "ticklen": 4} | spike,
            "yaxis": axis | {"showgrid": True, "showline": False, "nticks": 6},
            "hoverlabel": {
                "bgcolor": ink["card"],
                "bordercolor": ink["line"],
                "font": {"family": FONT, "size": 12, "color": ink["strong"]},
                "align": "left",
                "namelength": 40,
            },
            "legend": {"font": {"size": 11, "color": ink["text"]}, "bgcolor": "rgba(0,0,0,0)", "itemwidth": 30},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": ink["text"], "activecolor": ink["strong"]},
            "shapedefaults": {"line": {"width": 0}},
            "bargap": 0.28,
        },
        "data": {
            "scatter": [{"line": {"width": 1.7, "shape": "linear"}, "type": "scatter"}],
            "bar": [{"marker": {"line": {"width": 0}}, "type": "bar"}],
        },
    }


def layout(**changes: Any) -> dict[str, Any]:
    """What all figures share besides the template; `changes` are laid over it."""
    shared: dict[str, Any] = {
        "autosize": True,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "tracegroupgap": 0,
            "traceorder": "normal",
        },
        "hoverlabel": {"align": "left"},
        "dragmode": "zoom",
    }
    return shared | changes


def typed(values: Any, dtype: str = "f8") -> dict[str, str]:
    """An array as Plotly's typed-array object: a hundred times cheaper to write than a list of numbers."""
    array = np.ascontiguousarray(values, dtype=f"<{dtype}")
    return {"dtype": dtype, "bdata": base64.b64encode(array.tobytes()).decode()}


def faded(color: str, alpha: float) -> str:
    """#rrggbb as rgba with this opacity."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"
