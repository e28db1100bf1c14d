"""The form of a monitor: the admin, the pages, the API and imported files all go through it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from monitors.forms.choices import STEP_LABELS, KindRadio, key_boxes, kind_choices, step_boxes
from monitors.forms.filter import FilterWidget, check_filter
from monitors.forms.tags import TagsField
from monitors.forms.thresholds import ThresholdsField
from monitors.kinds.kind import KINDS
from monitors.models import Monitor
from monitors.models.monitor import KEYS, default_keys, default_steps
from monitors.series.tiers import ROLLUPS

__all__ = ["MonitorForm", "check_filter"]


class MonitorForm(forms.ModelForm):
    """What an operator decides about a monitor; the rest follows."""

    kind = forms.ChoiceField(widget=KindRadio, initial="network_health")
    tags = TagsField()
    keys = forms.MultipleChoiceField(
        label="Group by",
        choices=list(KEYS.items()),
        required=False,
        initial=default_keys,
        help_text="What is kept apart. Nothing: only the total. A chart can only split by what is kept here.",
    )
    steps = forms.TypedMultipleChoiceField(
        label="Coarser steps",
        coerce=int,
        choices=[(step, STEP_LABELS[step]) for step in ROLLUPS],
        required=False,
        initial=default_steps,
        help_text="Roll-ups above the resolution. How long each step is kept is decided for all monitors at once.",
    )
    thresholds = ThresholdsField()

    class Meta:
        model = Monitor
        fields = [
            "name", "kind", "description", "tags", "filter", "nodes", "groups", "keys", "resolution", "interval_s",
            "top_n", "steps", "thresholds", "enabled",
        ]  # fmt: skip
        widgets = {
            "filter": FilterWidget,
            "description": forms.Textarea(attrs={"rows": 2}),
            "nodes": forms.CheckboxSelectMultiple,
            "groups": forms.CheckboxSelectMultiple,
        }
        help_texts = {
            "resolution": "The finest step that is kept. It cannot be changed later: make another monitor.",
            "interval_s": "A shorter interval shows data sooner; it costs more calls, not more rows.",
            "top_n": "Per pull, each by bytes, failures and retransmissions; all others are kept together as “other”.",
            "nodes": "Asked by their own name, in a group or not.",
            "groups": "All members are asked; new members join by themselves.",
        }
        labels = {"interval_s": "Pulled every (seconds)", "top_n": "Top N groups", "groups": "Node groups"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (kind := self.fields.get("kind")) is not None:
            kind.choices = self._kinds()  # type: ignore[attr-defined]
        # Widgets that ask the registry of kinds, which is filled when the apps are ready.
        for name, widget in (("keys", key_boxes()), ("steps", step_boxes())):
            if (field := self.fields.get(name)) is not None:
                widget.choices = field.choices  # type: ignore[attr-defined]
                field.widget = widget
        if self.instance.pk and "resolution" in self.fields:
            self.fields["resolution"].disabled = True

    def _kinds(self) -> list[tuple[str, str]]:
        """All kinds; a monitor of one that this console no longer knows keeps it."""
        known, own = kind_choices(), self.instance.kind
        return known if own in KINDS or not self.instance.pk else [*known, (own, own)]

    def clean_filter(self) -> str:
        text = " ".join(self.cleaned_data["filter"].split())
        check_filter(text)
        return text

    def clean_description(self) -> str:
        """Browsers send lines with CRLF, files with LF: one text is one text."""
        return str(self.cleaned_data["description"]).replace("\r\n", "\n")

    def clean_keys(self) -> list[str]:
        chosen = set(self.cleaned_data["keys"])
        if "host" in chosen and chosen & {"client_ip", "server_ip", "client_net", "server_net"}:
            raise ValidationError(
                "Host counts each conversation at both its ends: choose it without client and server."
            )
        return [key for key in KEYS if key in chosen]

    def clean_steps(self) -> list[int]:
        return sorted(set(self.cleaned_data["steps"]))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind = KINDS.get(data.get("kind", ""))
        if kind is not None:
            foreign = [KEYS[key] for key in data.get("keys", ()) if key not in kind.keys]
            if foreign:
                known = ", ".join(KEYS[key] for key in kind.keys)
                self.add_error("keys", f"{kind.label} has no {', '.join(foreign)}. Choose among: {known}.")
            if data.get("filter") and not kind.has_filter:
                self.add_error("filter", f"{kind.label} takes no filter: it is about whole nodes.")
        interval, resolution = data.get("interval_s"), data.get("resolution")
        if interval and resolution and interval < resolution:
            self.add_error("interval_s", f"There is nothing new more often than every {resolution} s, the resolution.")
        return data
