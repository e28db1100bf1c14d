"""A form field for a list of metrics: one drop-down per metric and stat, as many as are needed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from cstor.metrics.columns import METRICS
from dashboards.panels.labels import metric_label

MAX_ROWS = 12
GROUPS = {
    "headline": "Headlines",
    "timing": "Timing",
    "connections": "Connections",
    "loss": "Loss and order",
    "visibility": "Visibility",
    "volume": "Volume",
    "links": "Links",
    "capture": "Capture nodes",
}
RATE_TEXT = {"rate": "per second", "sum": "count per step", "percent": "%", "value": "extreme"}


def metric_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every metric and stat, in groups, headlines first: ("response_time:p95", "Response time p95")."""
    grouped: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS.values()}
    for metric in METRICS.values():
        options = grouped.setdefault(GROUPS.get(metric.group, metric.group.title()), [])
        for stat in metric.stats:
            label = metric_label(metric.key, stat)
            if stat in RATE_TEXT and len(metric.stats) > 1:
                label = f"{label}, {RATE_TEXT[stat]}"
            options.append((f"{metric.key}:{stat}", label))
    return [(name, options) for name, options in grouped.items() if options]


class MetricsWidget(forms.Widget):
    """Rows of one drop-down each, all under one name."""

    template_name = "dashboards/metrics_widget.html"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        # By the project's templates: the form renderer knows only those inside apps.
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        chosen = [word for word in value or [] if word]
        context["rows"] = [*chosen, *[""] * max(MAX_ROWS - len(chosen), 0)]
        context["filled"] = max(len(chosen), 1)
        context["groups"] = metric_choices()
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        values = data.getlist(name) if hasattr(data, "getlist") else data.get(name, [])
        return [value for value in values if value]


class MetricsField(forms.Field):
    """Cleaned value: [{"key": ..., "stat": ...}]."""

    widget = MetricsWidget

    def prepare_value(self, value: Any) -> list[str]:
        return [
            f"{item['key']}:{item.get('stat', '')}" if isinstance(item, dict) else str(item) for item in value or []
        ]

    def to_python(self, value: Any) -> list[dict[str, str]]:
        out = []
        for word in value or []:
            key, _, stat = str(word).partition(":")
            if key not in METRICS or stat not in METRICS[key].stats:
                raise forms.ValidationError(f'There is no metric "{word}".')
            out.append({"key": key, "stat": stat})
        return out
