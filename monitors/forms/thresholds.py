"""A monitor's own thresholds: a row for each headline metric that is judged, typed in the unit that people read.

Stored is {metric: [amber, red]} in the metric's own unit (seconds, percent); typed are milliseconds for seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from cstor.metrics.columns import METRICS
from cstor.metrics.metric import Metric, Threshold

MOST = 1e9


@dataclass(frozen=True)
class Judged:
    """A metric with a threshold: `factor` turns its own unit into the one that is typed."""

    metric: Metric
    threshold: Threshold
    factor: float
    unit: str

    @property
    def key(self) -> str:
        return self.metric.key

    @property
    def label(self) -> str:
        """With the statistic where there are several."""
        return f"{self.metric.label}, {self.threshold.stat}" if self.metric.kind == "histogram" else self.metric.label

    @property
    def defaults(self) -> tuple[float, float]:
        return self.threshold.amber, self.threshold.red

    def shown(self, value: float) -> str:
        """A stored value as it is typed."""
        return f"{value * self.factor:.6f}".rstrip("0").rstrip(".")


def judged() -> list[Judged]:
    """Every metric whose colour a threshold decides."""
    found = []
    for metric in METRICS.values():
        if metric.threshold is not None:
            symbol = metric.symbol_of(metric.threshold.stat)
            found.append(Judged(metric, metric.threshold, *((1e3, "ms") if symbol == "s" else (1.0, symbol))))
    return found


def checked(given: Any) -> dict[str, list[float]]:
    """{metric: [amber, red]} that makes sense; ValidationError says which does not."""
    if not isinstance(given, dict):
        raise ValidationError('Thresholds are {"metric": [amber, red]}.')
    known = {one.key: one for one in judged()}
    out = {}
    for key, pair in given.items():
        if key not in known:
            raise ValidationError(f"'{key}' has no thresholds; these have: {', '.join(known)}.")
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(_is_number(value) for value in pair):
            raise ValidationError(f"{key}: write two numbers, amber and red.")
        if not 0 < pair[0] <= pair[1] <= MOST:
            raise ValidationError(f"{known[key].metric.label}: amber is above 0 and at most red.")
        if tuple(pair) != known[key].defaults:
            out[key] = [float(pair[0]), float(pair[1])]
    return out


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class ThresholdsWidget(forms.Widget):
    """The table. Its value is a dict of typed texts: {metric: (amber, red)}, or what a script gave as it is."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        # By the project's templates: the form renderer knows only those inside apps.
        typed = value if isinstance(value, dict) else {}
        rows = [(one, *map(one.shown, one.defaults), *_texts(one, typed.get(one.key))) for one in judged()]
        return render_to_string("monitors/widgets/thresholds.html", {"name": name, "rows": rows})

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        if data.get(name) is not None:
            return data[name]
        names = {one.key: (f"{name}-{one.key}-amber", f"{name}-{one.key}-red") for one in judged()}
        return {
            key: tuple(str(data.get(field) or "").strip() for field in fields)
            for key, fields in names.items()
            if any(data.get(field) for field in fields)
        }

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False

    def id_for_label(self, id_: str) -> str:
        return ""


def _texts(one: Judged, pair: Any) -> tuple[str, str]:
    if not pair:
        return "", ""
    amber, red = (value if isinstance(value, str) else one.shown(float(value)) for value in pair)
    return amber, red


class ThresholdsField(forms.Field):
    """Texts as typed become numbers in the metric's unit; one of two left empty is the default."""

    widget = ThresholdsWidget

    def __init__(self) -> None:
        super().__init__(
            required=False,
            label="Thresholds",
            help_text="From amber and from red on its tiles change colour. Empty: the default.",
        )

    def to_python(self, value: Any) -> dict[str, list[float]]:
        if not isinstance(value, dict):
            return checked({} if value in (None, "") else value)
        known = {one.key: one for one in judged()}
        return checked({key: _typed(known[key], pair) if key in known else pair for key, pair in value.items()})

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return (initial or {}) != self.to_python(data)
        except ValidationError:
            return True


def _typed(one: Judged, pair: Any) -> Any:
    """Texts of the table as numbers; what is no pair of texts is left for `checked` to judge."""
    if not isinstance(pair, list | tuple) or not all(isinstance(text, str) for text in pair):
        return pair
    values = []
    for text, default in zip(pair, one.defaults, strict=True):
        try:
            number = float(text.replace(",", ".")) / one.factor if text else default
        except ValueError:
            raise ValidationError(f"{one.metric.label}: '{text}' is not a number of {one.unit}.") from None
        values.append(float(f"{number:.9g}"))
    return values
