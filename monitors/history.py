"""Who changed what of a monitor, when, from what to what: Django's log of the admin, written by every way in.

An entry's first line says by which way (`form`, `API`, `import`, ...), each further line is one field.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType

from monitors.exchange.document import FIELDS, LABELS, Document
from monitors.models import Monitor

SHOWN_LETTERS = 200
NOTHING = "nothing"


@dataclass(frozen=True)
class Change:
    """One field, as text."""

    field: str
    old: str
    new: str

    @property
    def label(self) -> str:
        return LABELS.get(self.field, self.field)

    def __str__(self) -> str:
        return f"{self.label}: {self.old} → {self.new}"


@dataclass(frozen=True)
class Event:
    """One line of the history."""

    when: dt.datetime
    who: str
    way: str
    what: str
    changes: tuple[str, ...] = ()


def changes(before: Document | None, after: Document) -> tuple[Change, ...]:
    """Where the two differ; before is None for a new monitor, of which the fields are not told one by one."""
    if before is None:
        return ()
    return tuple(
        Change(name, words(before.get(name)), words(after.get(name)))
        for name in FIELDS
        if before.get(name) != after.get(name)
    )


def words(value: Any) -> str:
    """A value as one reads it in a line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        text = "; ".join(f"{key} {'/'.join(format(number, 'g') for number in pair)}" for key, pair in value.items())
    elif isinstance(value, list):
        text = ", ".join(map(str, value))
    else:
        text = " ".join(str(value).split())
    return (text[: SHOWN_LETTERS - 1] + "…" if len(text) > SHOWN_LETTERS else text) or NOTHING


def message(way: str, found: Sequence[Change]) -> str:
    """What the log keeps."""
    return "\n".join([way, *map(str, found)])


def record(user: Any, monitor: Monitor, way: str, found: Sequence[Change], flag: int = CHANGE) -> None:
    """Write it down, unless nothing changed or nobody is known to have done it."""
    if user is None or not user.pk or (flag == CHANGE and not found):
        return
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(Monitor),
        object_id=str(monitor.pk),
        object_repr=str(monitor)[:200],
        action_flag=flag,
        change_message=message(way, found),
    )


def events(monitor: Monitor, most: int = 100) -> list[Event]:
    """The newest first. A definition that nobody is on record for (a script changed it) stands there by itself."""
    kind = ContentType.objects.get_for_model(Monitor)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(monitor.pk)).select_related("user")[:most]
    return [_event(entry) for entry in entries]


def _event(entry: LogEntry) -> Event:
    what = {ADDITION: "made", CHANGE: "changed", DELETION: "deleted"}.get(entry.action_flag, "changed")
    text = entry.change_message
    way, *lines = (entry.get_change_message(),) if text.startswith("[") else text.split("\n")
    return Event(entry.action_time, entry.user.get_username(), way, what, tuple(line for line in lines if line))
