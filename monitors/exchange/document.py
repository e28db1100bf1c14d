"""A monitor as a document of plain words: what files hold, what the history compares, what a clone is made of.

Nodes and groups stand there by name, so that a file fits another console.
"""

from __future__ import annotations

from typing import Any

from monitors.kinds.kind import KINDS
from monitors.models import Monitor, Node, NodeGroup
from monitors.models.monitor import DEFAULT_KEYS, default_steps

Document = dict[str, Any]

# Every field in the order in which files show it, and what a new monitor has where a file says nothing.
DEFAULTS: Document = {
    "name": "",
    "slug": "",
    "kind": "network_health",
    "description": "",
    "tags": [],
    "filter": "",
    "nodes": [],
    "groups": [],
    "keys": list(DEFAULT_KEYS),
    "resolution": 10,
    "interval_s": 10,
    "top_n": 50,
    "steps": default_steps(),
    "thresholds": {},
    "enabled": True,
}
FIELDS = tuple(DEFAULTS)
LABELS = {
    "name": "Name",
    "slug": "Slug",
    "kind": "Kind",
    "description": "Description",
    "tags": "Tags",
    "filter": "Filter",
    "nodes": "Nodes",
    "groups": "Node groups",
    "keys": "Group by",
    "resolution": "Resolution (s)",
    "interval_s": "Pulled every (s)",
    "top_n": "Top N groups",
    "steps": "Coarser steps (s)",
    "thresholds": "Thresholds",
    "enabled": "Switched on",
}
RELATED = ("nodes", "groups")


def document(monitor: Monitor) -> Document:
    """Everything that an operator decides about a saved monitor."""
    related = {name: sorted(str(one.name) for one in getattr(monitor, name).all()) for name in RELATED}
    plain = {name: getattr(monitor, name) for name in FIELDS if name not in RELATED}
    return {name: _copy(related.get(name, plain.get(name))) for name in FIELDS}


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else dict(value) if isinstance(value, dict) else value


def defaults_of(kind: str) -> Document:
    """What a new monitor of this kind has: all keys of a kind that has keys of its own."""
    found = KINDS.get(kind)
    keys = list(DEFAULT_KEYS) if found is None or set(DEFAULT_KEYS) <= {*found.keys} else list(found.keys)
    return {**{name: _copy(value) for name, value in DEFAULTS.items()}, "keys": keys}


class UnknownName(ValueError):
    """A node or group that is not here; `field` says which of both."""

    def __init__(self, field: str, name: str, known: list[str]) -> None:
        what = "node" if field == "nodes" else "node group"
        there = f"there are: {', '.join(known[:10])}{' ...' if len(known) > 10 else ''}" if known else "there is none"
        super().__init__(f"no {what} is called '{name}'; {there}")
        self.field = field


class Names:
    """Nodes and groups by name, read once for many documents."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, int]] = {
            "nodes": dict(Node.objects.values_list("name", "pk")),
            "groups": dict(NodeGroup.objects.values_list("name", "pk")),
        }

    def ids(self, field: str, names: list[str]) -> list[int]:
        """UnknownName for the first that is not there."""
        known = self._ids[field]
        for name in names:
            if name not in known:
                raise UnknownName(field, name, sorted(known))
        return [known[name] for name in names]


def form_data(found: Document, names: Names) -> tuple[dict[str, Any], list[UnknownName]]:
    """The document as MonitorForm takes it, and the names in it that are not known here."""
    data = {name: value for name, value in found.items() if name != "slug"}
    unknown = []
    for field in RELATED:
        try:
            data[field] = names.ids(field, found[field])
        except UnknownName as error:
            data[field] = []
            unknown.append(error)
    return data, unknown
