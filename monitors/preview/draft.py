"""A monitor that is not saved yet: what a preview needs of it, taken from the form as far as it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from monitors.forms.filter import fault_of
from monitors.forms.monitor import MonitorForm
from monitors.kinds.kind import KINDS
from monitors.models import Capture, Node
from monitors.models.monitor import RESOLUTIONS
from wire.filters.grammar import FilterError

# Without these there is nothing to ask; faults of other fields are the form's affair.
NEEDED = ("kind", "filter", "nodes", "groups", "keys", "resolution", "top_n", "steps")


@dataclass(frozen=True)
class Draft:
    """What is asked of whom."""

    kind: str
    filter: str
    keys: tuple[str, ...]
    resolution: int
    top_n: int
    steps: tuple[int, ...]
    nodes: tuple[Node, ...]

    @property
    def subject(self) -> str:
        return KINDS[self.kind].subject


@dataclass(frozen=True)
class Faults:
    """Why nothing can be asked yet. `filter` points at a word of the filter."""

    fields: dict[str, list[str]]
    filter: FilterError | None = None

    @property
    def marked(self) -> tuple[str, str, str]:
        """The filter before the wrong word, the word, and what follows."""
        if self.filter is None:
            return "", "", ""
        text, at = self.filter.text, self.filter.column - 1
        end = min(len(text), at + self.filter.width)
        return text[:at], text[at:end] or " ", text[end:]


def read_draft(form: MonitorForm) -> Draft | Faults:
    """The draft out of a bound form, or what is wrong with it."""
    form.full_clean()
    wrong = {name: [str(error) for error in errors] for name, errors in form.errors.items() if name in NEEDED}
    text = " ".join(str(form.data.get("filter") or "").split())
    if wrong:
        return Faults(wrong, fault_of(text) if "filter" in wrong else None)
    data = form.cleaned_data
    return Draft(
        data["kind"],
        data["filter"],
        tuple(data["keys"]),
        int(data["resolution"] or RESOLUTIONS[1][0]),
        data["top_n"],
        tuple(data["steps"]),
        targets(data["nodes"], data["groups"]),
    )


def targets(nodes: Any, groups: Any) -> tuple[Node, ...]:
    """Whom a monitor with these nodes and groups would ask, as the view `monitors_target` has it for saved ones."""
    wanted = Q(pk__in=[node.pk for node in nodes]) | Q(groups__in=[group.pk for group in groups])
    if any(group.is_all for group in groups):
        # A node that serves an uploaded capture is asked by the capture's own monitor only.
        wanted |= ~Q(pk__in=Capture.objects.filter(node__isnull=False).values("node"))
    return tuple(Node.objects.filter(wanted).distinct().order_by("name"))
