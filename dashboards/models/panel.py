"""A panel: a query, a kind that draws it, and its place on the dashboard's grid of twelve columns."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from dashboards.models.dashboard import Dashboard

MONITOR_VARIABLE = "$monitor"
KEYS_VARIABLE = "$keys"
WIDTHS = [(3, "Quarter"), (4, "Third"), (6, "Half"), (8, "Two thirds"), (9, "Three quarters"), (12, "Full width")]
HEIGHTS = [(0, "As the kind needs"), (180, "Low"), (260, "Normal"), (360, "Tall"), (520, "Very tall")]


class Panel(models.Model):
    """`query` is a QuerySpec's JSON without its range, which the bar gives; `config` the kind's own settings."""

    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, related_name="panels")
    position = models.IntegerField(default=0)
    title = models.CharField(max_length=120)
    help = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=40, default="timeseries")
    width = models.IntegerField(default=6, validators=[MinValueValidator(1), MaxValueValidator(12)])
    height = models.IntegerField(default=0)
    query = models.JSONField(default=dict)
    config = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title

    @property
    def has_monitor_variable(self) -> bool:
        return MONITOR_VARIABLE in self.query.get("monitors", [])

    def as_data(self) -> dict[str, Any]:
        """What a copy of this panel has."""
        names = ("position", "title", "help", "kind", "width", "height", "query", "config")
        return {name: getattr(self, name) for name in names}
