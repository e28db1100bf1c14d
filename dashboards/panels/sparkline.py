"""A line the size of a word (Tufte's sparkline) as an SVG path: it breaks where nothing was measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dashboards.queries.frame import Floats

WIDTH, HEIGHT = 120, 28


class Sparkline(NamedTuple):
    """Path data of the line and of the area under it, in a box of WIDTH x HEIGHT."""

    line: str
    area: str
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(values: Floats) -> Sparkline | None:
    """None where there are not two measured points."""
    measured = np.isfinite(values)
    if measured.sum() < 2:
        return None
    low, high = min(0.0, float(np.nanmin(values))), float(np.nanmax(values))
    span = (high - low) or 1.0
    x = np.linspace(0, WIDTH, len(values))
    y = HEIGHT - 2 - (values - low) / span * (HEIGHT - 4)
    line, area = [], []
    edges = np.flatnonzero(np.diff(np.r_[False, measured, False].astype(int)))
    for first, stop in edges.reshape(-1, 2):
        points = [f"{x[i]:.1f} {y[i]:.1f}" for i in range(first, stop)]
        if len(points) == 1:
            points.append(f"{x[first] + 0.5:.1f} {y[first]:.1f}")
        line.append("M" + "L".join(points))
        area.append(f"M{x[first]:.1f} {HEIGHT}L" + "L".join(points) + f"L{x[stop - 1]:.1f} {HEIGHT}Z")
    return Sparkline("".join(line), "".join(area))
