"""The form of a monitor, used by the admin and by the pages alike."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from monitors.kinds.kind import KINDS
from monitors.models import Monitor
from monitors.models.monitor import KEYS, default_keys
from wire.filters.grammar import FilterError, parse
from wire.filters.sql import SERIES, where


def check_filter(text: str) -> None:
    """ValidationError that points at the word, for a filter that does not parse or that conversations cannot answer."""
    try:
        where(parse(text), SERIES, text)
    except FilterError as error:
        raise ValidationError(f"{error}\n{error.pointer()}", code="filter") from None


class MonitorForm(forms.ModelForm):
    """What an operator decides about a monitor; the rest follows."""

    kind = forms.ChoiceField()
    keys = forms.MultipleChoiceField(
        label="Group by",
        choices=list(KEYS.items()),
        required=False,
        initial=default_keys,
        widget=forms.CheckboxSelectMultiple,
        help_text="What is kept apart. Nothing: only the total. A chart can only split by what is kept here.",
    )

    class Meta:
        model = Monitor
        fields = ["name", "kind", "filter", "nodes", "keys", "resolution", "interval_s", "top_n", "enabled"]
        widgets = {
            "filter": forms.Textarea(
                attrs={"rows": 2, "spellcheck": "false", "class": "vLargeTextField font-monospace"}
            ),
            "nodes": forms.CheckboxSelectMultiple,
        }
        help_texts = {
            "resolution": "The finest step that is kept. It cannot be changed later: make another monitor.",
            "top_n": "Per pull, each by bytes, failures and retransmissions; all others are kept together as “other”.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (("kind", [(key, kind.label) for key, kind in KINDS.items()]),):
            if (field := self.fields.get(name)) is not None:
                field.choices = choices  # type: ignore[attr-defined]
        if self.instance.pk and "resolution" in self.fields:
            self.fields["resolution"].disabled = True

    def clean_filter(self) -> str:
        text = " ".join(self.cleaned_data["filter"].split())
        check_filter(text)
        return text

    def clean_keys(self) -> list[str]:
        chosen = set(self.cleaned_data["keys"])
        if "host" in chosen and chosen & {"client_ip", "server_ip", "client_net", "server_net"}:
            raise ValidationError(
                "Host counts each conversation at both its ends: choose it without client and server."
            )
        return [key for key in KEYS if key in chosen]

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
