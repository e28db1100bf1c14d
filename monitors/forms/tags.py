"""Tags as one line of text with commas: what forms show, and what lists of words become."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

MOST_TAGS = 20
MOST_LETTERS = 40


class TagsField(forms.CharField):
    """A list of words, each once, in the order in which they were written."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, help_text="Words with commas between them, to find monitors by.", **kwargs)

    def prepare_value(self, value: Any) -> str:
        return value if isinstance(value, str) else ", ".join(value or ())

    def to_python(self, value: Any) -> Any:
        return words_of(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return words_of(initial) != words_of(data)

    def clean(self, value: Any) -> Any:
        found = words_of(value)
        if len(found) > MOST_TAGS:
            raise ValidationError(f"At most {MOST_TAGS} tags; these are {len(found)}.")
        for word in found:
            if len(word) > MOST_LETTERS:
                raise ValidationError(f"A tag has at most {MOST_LETTERS} letters; '{word}' has {len(word)}.")
        return found


def words_of(value: Any) -> list[str]:
    """Tags out of text with commas, or of a list."""
    parts: Iterable[Any] = value.split(",") if isinstance(value, str) else value or ()
    return list(dict.fromkeys(word for part in parts if (word := " ".join(str(part).replace(",", " ").split()))))
