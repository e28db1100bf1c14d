"""A label -> the form of a new monitor whose totals are exact, since its nodes are asked with the label's filter."""

from __future__ import annotations

from urllib.parse import urlencode

from monitors.labels.filters import MAX_LENGTH, label_filter, within
from monitors.labels.overview import MODELS
from monitors.models import Location, Monitor, Point

WORDS = {"services": "service", "locations": "location", "points": "point", "protocols": "protocol"}
SIDES = {"client": " as client", "server": " as server"}


class CannotMake(ValueError):
    """Why no filter says this label; the message says what to do."""


def new_monitor_url(kind: str, number: int, side: str = "", inside: bool = True) -> str:
    """Address of the prefilled form, for places with all `inside` them; CannotMake in plain words."""
    label = MODELS[kind]._default_manager.get(pk=number)
    numbers = within(label) if isinstance(label, Location) and inside else {number}
    text = label_filter(kind, numbers, side)
    if isinstance(label, Point) and label.node_id is not None and not text:
        raise CannotMake(f"{label} is a node: make a monitor without a filter that asks {label.node} alone.")
    if not text:
        raise CannotMake(f"{label} names nothing yet: add its networks or ports first.")
    if len(text) > MAX_LENGTH:
        raise CannotMake(f"The filter of {label} has {len(text):,} characters; give it fewer or larger networks.")
    told = {
        "name": _free_name(f"{label}{SIDES.get(side, '')}"),
        "filter": text,
        "description": f"Made from the {WORDS[kind]} {label} as it was then; a later change of it does not reach here.",
    }
    return f"/monitors/new/?{urlencode(told)}"


def _free_name(wanted: str) -> str:
    name, n = wanted[:100], 1
    while Monitor.objects.filter(name=name).exists():
        n += 1
        name = f"{wanted[:94]} ({n})"
    return name
