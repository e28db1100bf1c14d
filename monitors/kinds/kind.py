"""What a monitor kind is: a class in a file of its own, named after its key, registered when discovered."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from cstor.metrics.metric import Subject
from wire.registry import Registry

CONVERSATION_KEYS = (
    "client_ip",
    "server_ip",
    "server_port",
    "protocol",
    "vni",
    "vlan",
    "client_net",
    "server_net",
    "host",
    "node",
)


class MonitorKind:
    """Turns a monitor's fields into the part of a series query that says what is asked.

    `subject` is the dataset on the node; `keys` what can be kept apart there; `dashboard` the key of the built-in
    dashboard that shows such a monitor. One that `is_of_nodes` is about the nodes themselves: it asks every node.
    """

    key: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    subject: ClassVar[Subject] = "conversations"
    keys: ClassVar[tuple[str, ...]] = CONVERSATION_KEYS
    scope: ClassVar[str] = "all traffic"  # what it is about without a filter
    has_filter: ClassVar[bool] = True
    is_of_nodes: ClassVar[bool] = False
    dashboard: ClassVar[str] = "monitor"

    class ConfigForm(forms.Form):
        """Fields of this kind beside those every monitor has."""

    def query(self, filter_text: str, keys: list[str], config: dict[str, Any]) -> dict[str, Any]:
        """`subject`, `filter`, `by` and, where not all are wanted, `metrics` of a series query."""
        by = [key for key in keys if key != "node"]
        return {"subject": self.subject, "filter": filter_text, "by": by}


KINDS: Registry[MonitorKind] = Registry("monitor kind")


def keys_of(subject: str) -> tuple[str, ...]:
    """Every key that monitors of this subject can keep."""
    return tuple(dict.fromkeys(key for kind in KINDS.values() if kind.subject == subject for key in kind.keys))


def subject_of(kind: str) -> Subject:
    """What a monitor of this kind measures; one that this console does not know is pulled for nothing."""
    found = KINDS.get(kind)
    return found.subject if found else "conversations"


def register(kind: type[MonitorKind]) -> type[MonitorKind]:
    """Class decorator: make the kind known under its key."""
    KINDS.add(kind.key, kind())
    return kind
