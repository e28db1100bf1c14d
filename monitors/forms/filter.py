"""Filters in forms: checked as they are typed, chosen from those that have a name, saved under one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from monitors.models import SavedFilter
from wire.filters.grammar import FilterError, parse
from wire.filters.sql import SERIES, where


def fault_of(text: str) -> FilterError | None:
    """What is wrong with a filter, or what conversations cannot answer of it."""
    try:
        where(parse(text), SERIES, text)
    except FilterError as error:
        return error
    return None


def check_filter(text: str) -> None:
    """ValidationError that points at the word, for a filter that does not parse or that conversations cannot answer."""
    error = fault_of(text)
    if error is not None:
        raise ValidationError(f"{error}\n{error.pointer()}", code="filter")


class FilterWidget(forms.Textarea):
    """The text, a chooser of saved filters that fills it in, and a way to save it under a name."""

    def __init__(self) -> None:
        super().__init__(attrs={"rows": 2, "spellcheck": "false", "class": "font-monospace", "autocomplete": "off"})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        # By the project's templates: the form renderer knows only those inside apps.
        field = super().render(name, value, attrs, renderer)
        saved = list(SavedFilter.objects.values("name", "filter", "description"))
        return render_to_string("monitors/widgets/filter.html", {"field": field, "saved": saved})


class SavedFilterForm(forms.ModelForm):
    """A filter under a name."""

    class Meta:
        model = SavedFilter
        fields = ["name", "filter", "description"]
        widgets = {
            "filter": forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "font-monospace"}),
        }

    def clean_filter(self) -> str:
        text = " ".join(self.cleaned_data["filter"].split())
        check_filter(text)
        return text
