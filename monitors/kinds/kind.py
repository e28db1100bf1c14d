"""What a monitor kind is: a class in a file of its own, named after its key, registered when discovered."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from wire.registry import Registry


class MonitorKind:
    """Turns a monitor's fields into the part of a series query that says what is asked.

    `subject` is the dataset on the node; `dashboard` the key of the built-in dashboard that shows such a monitor.
    """

    key: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    subject: ClassVar[str] = "conversations"
    dashboard: ClassVar[str] = "monitor"

    class ConfigForm(forms.Form):
        """Fields of this kind beside those every monitor has."""

    def query(self, filter_text: str, keys: list[str], config: dict[str, Any]) -> dict[str, Any]:
        """`subject`, `filter`, `by` and, where not all are wanted, `metrics` of a series query."""
        raise NotImplementedError


KINDS: Registry[MonitorKind] = Registry("monitor kind")


def register(kind: type[MonitorKind]) -> type[MonitorKind]:
    """Class decorator: make the kind known under its key."""
    KINDS.add(kind.key, kind())
    return kind
