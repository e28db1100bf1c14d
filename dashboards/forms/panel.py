"""Form of a panel: its query in plain fields, its kind, and the settings of that kind.

Every kind's own form is on the page under a prefix; the page shows the one of the chosen kind, and only that counts.
"""

from __future__ import annotations

from typing import Any

from django import forms

from dashboards.forms.metrics import MetricsField, metric_choices
from dashboards.models import Dashboard, Panel
from dashboards.models.panel import HEIGHTS, KEYS_VARIABLE, MONITOR_VARIABLE, WIDTHS
from dashboards.panels.labels import KEY_LABEL
from dashboards.panels.panel import PANELS
from dashboards.queries.spec import KEYS, QuerySpec, SpecError
from monitors.models import Monitor
from wire.filters.grammar import FilterError, parse

COMPARE = [("", "Nothing"), ("1d", "The day before"), ("7d", "The week before")]


class PanelForm(forms.Form):
    """`initial` is a panel's own fields; `to_panel` gives an unsaved or changed Panel."""

    title = forms.CharField(max_length=120)
    kind = forms.ChoiceField(label="Drawn as")
    metrics = MetricsField(label="Metrics", required=False)
    monitors = forms.MultipleChoiceField(required=False, help_text="None: every monitor that is switched on.")
    by = forms.MultipleChoiceField(label="Grouped by", required=False)
    filter = forms.CharField(required=False, help_text="As tcpdump takes it, over the keys the monitor keeps.")
    top_n = forms.IntegerField(label="Only the top", min_value=1, max_value=200, required=False)
    top_metric = forms.ChoiceField(label="ranked by", required=False)
    compare = forms.ChoiceField(label="Compared with", choices=COMPARE, required=False)
    width = forms.TypedChoiceField(choices=WIDTHS, coerce=int, initial=6)
    height = forms.TypedChoiceField(choices=HEIGHTS, coerce=int, initial=0)
    help = forms.CharField(label="Explanation", max_length=300, required=False, help_text="Shown beside the title.")

    def __init__(self, *args: Any, dashboard: Dashboard, panel: Panel | None = None, **kwargs: Any) -> None:
        self.dashboard = dashboard
        self.panel = panel
        if panel is not None:
            kwargs["initial"] = _initial(panel) | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind.key, kind.label) for kind in PANELS.values()]  # type: ignore[attr-defined]
        own = [(monitor.slug, monitor.name) for monitor in Monitor.objects.order_by("name")]
        self.fields["monitors"].choices = [(MONITOR_VARIABLE, "The bar's monitor"), *own]  # type: ignore[attr-defined]
        keys = [(key, KEY_LABEL.get(key, key)) for key in KEYS if key != "is_copy"]
        self.fields["by"].choices = [*keys, (KEYS_VARIABLE, "The monitor's own keys")]  # type: ignore[attr-defined]
        self.fields["top_metric"].choices = [("", "Bytes"), *metric_choices()]  # type: ignore[attr-defined]
        config = panel.config if panel is not None else {}
        self.kind_forms = {
            kind.key: kind.ConfigForm(
                self.data if self.is_bound else None,
                prefix=kind.key,
                initial=config if panel is not None and panel.kind == kind.key else None,
            )
            for kind in PANELS.values()
        }

    def clean_filter(self) -> str:
        text = str(self.cleaned_data["filter"]).strip()
        try:
            parse(text)
        except FilterError as error:
            raise forms.ValidationError(str(error)) from None
        return text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind = PANELS.get(data.get("kind", ""))
        if kind is None or self.errors:
            return data
        if kind.needs_query:
            try:
                QuerySpec.from_json(_as_spec(self.query()))
            except SpecError as error:
                self.add_error(error.field if error.field in self.fields else None, error.message)
        chosen = self.kind_forms[kind.key]
        if not chosen.is_valid():
            self.add_error(None, "; ".join(str(message) for errors in chosen.errors.values() for message in errors))
        return data

    def query(self) -> dict[str, Any]:
        """The query as a panel stores it."""
        data = self.cleaned_data
        query: dict[str, Any] = {"metrics": data["metrics"]}
        for name in ("monitors", "by", "filter", "compare"):
            if data.get(name):
                query[name] = data[name]
        if data.get("top_n"):
            key, _, stat = (data.get("top_metric") or "bytes:sum").partition(":")
            query["top"] = {"n": data["top_n"], "metric": key, "stat": stat}
        return query

    def to_panel(self) -> Panel:
        """The panel as the form says, not saved."""
        panel = self.panel or Panel(dashboard=self.dashboard)
        data = self.cleaned_data
        for name in ("title", "kind", "width", "height", "help"):
            setattr(panel, name, data[name])
        panel.query = self.query() if PANELS[data["kind"]].needs_query else {}
        panel.config = self.kind_forms[data["kind"]].cleaned_data
        return panel


def _as_spec(query: dict[str, Any]) -> dict[str, Any]:
    """A stored query with its variables filled in, so that it can be checked."""
    return query | {"by": [key for key in query.get("by", []) if key != KEYS_VARIABLE]}


def _initial(panel: Panel) -> dict[str, Any]:
    query = panel.query
    top = query.get("top") or {}
    names = ("title", "kind", "width", "height", "help")
    return {name: getattr(panel, name) for name in names} | {
        "metrics": query.get("metrics", []),
        "monitors": query.get("monitors", []),
        "by": query.get("by", []),
        "filter": query.get("filter", ""),
        "compare": query.get("compare", ""),
        "top_n": top.get("n"),
        "top_metric": f"{top['metric']}:{top['stat']}" if top.get("metric") and top.get("stat") else "",
    }
