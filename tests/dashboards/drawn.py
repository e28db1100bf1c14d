"""What a figure says once its typed arrays are unpacked, and whether Plotly itself accepts it."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboards.panels.theme import THEMES, template


def validated(figure: dict[str, Any]) -> go.Figure:
    """The figure as the plotly package reads it, in both themes: unknown attributes and bad values raise."""
    for theme in THEMES:
        layout = figure["layout"] | {"template": template(theme)}
        made = go.Figure(data=figure["data"], layout=layout)
    return made


def array(value: Any) -> np.ndarray:
    """A typed array or a list as NumPy."""
    if isinstance(value, dict):
        return np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
    return np.array(value)


def by_name(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in figure["data"] if trace.get("name")}
