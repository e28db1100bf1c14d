"""Models of the dashboards app, one file per noun."""

from __future__ import annotations

from dashboards.models.dashboard import Dashboard
from dashboards.models.panel import Panel

__all__ = ["Dashboard", "Panel"]
