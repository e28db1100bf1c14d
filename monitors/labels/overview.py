"""What the pages of labels say: each label with what it names, how many conversations have it, and who shadows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.db import connection

from monitors.labels.filters import KIND_OF_KEY
from monitors.labels.shadow import Shadow, shadows
from monitors.labels.sheets import SHEETS
from monitors.labels.sheets.sheet import Wanted
from monitors.models import Application, Location, Point, Service

SHOWN_PARTS = 4
MODELS = {"services": Service, "locations": Location, "points": Point, "protocols": Application}


@dataclass
class Row:
    """One label. `groups` have it; `inside` counts those of the places in it as well."""

    pk: int
    name: str
    description: str
    weight: int
    parts: list[str]
    groups: int = 0
    inside: int | None = None
    depth: int = 0
    shadow: Shadow = field(default_factory=Shadow)

    @property
    def shown(self) -> list[str]:
        return self.parts[:SHOWN_PARTS]

    @property
    def more(self) -> int:
        return max(0, len(self.parts) - SHOWN_PARTS)


@dataclass(frozen=True)
class Share:
    """How many conversations could have a label of a kind, and how many have one."""

    labelled: int
    total: int

    @property
    def unlabelled_percent(self) -> float | None:
        return 100 * (self.total - self.labelled) / self.total if self.total else None


# What a group must keep for a label of a kind to be looked for.
_COULD = {
    "services": "coalesce(server_ip, server_net) IS NOT NULL",
    "locations": "coalesce(client_ip, client_net, server_ip, server_net, host) IS NOT NULL",
    "points": "TRUE",
    "protocols": "server_port IS NOT NULL",
}
_COLUMN = {"services": "service_id", "points": "point_id", "protocols": "application_id"}


def rows_of(kind: str) -> tuple[list[Row], Share]:
    """All labels of a kind in the order of their names, places below the one they lie in."""
    sheet = SHEETS[kind]
    stored = sheet.stored()
    shadow = shadows(kind)
    numbers = dict(MODELS[kind]._default_manager.values_list("name", "pk"))
    rows = [
        Row(
            pk=numbers[name],
            name=name,
            description=str(one.fields.get("description", "")),
            weight=int(one.fields["weight"]),
            parts=_parts(kind, one),
            shadow=shadow.get(numbers[name], Shadow()),
        )
        for name, one in stored.items()
        if name in numbers
    ]
    if kind == "locations":
        return _of_places(rows)
    counted = _count(f"SELECT {_COLUMN[kind]}, count(*) FROM monitors_group WHERE {_COULD[kind]} GROUP BY 1")
    for row in rows:
        row.groups = counted.get((row.pk,), 0)
    return rows, _share(counted)


def _parts(kind: str, one: Wanted) -> list[str]:
    if kind != "points":
        return [SHEETS[kind].part_text(part) for part in one.parts]
    named = (("node", one.fields["node"]), ("VNI", one.fields["vni"]), ("VLAN", one.fields["vlan"]))
    return [f"{word} {value}" for word, value in named if value not in (None, "")]


def _count(sql: str) -> Counter[tuple[int | None, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return Counter({tuple(row[:-1]): row[-1] for row in cursor.fetchall()})


def _share(counted: Counter[tuple[int | None, ...]]) -> Share:
    total = sum(counted.values())
    return Share(sum(n for key, n in counted.items() if any(value is not None for value in key)), total)


def _of_places(rows: list[Row]) -> tuple[list[Row], Share]:
    """A conversation belongs to a place by either end, and to the places around it, once to each."""
    counted = _count(
        "SELECT client_location_id, server_location_id, count(*) FROM monitors_group"
        f" WHERE {_COULD['locations']} GROUP BY 1, 2"
    )
    parents: dict[int, int | None] = dict(Location.objects.values_list("pk", "parent_id"))
    own: Counter[int] = Counter()
    inside: Counter[int] = Counter()
    for ends, n in counted.items():
        named = {end for end in ends if end in parents}
        own.update(dict.fromkeys(named, n))
        inside.update(dict.fromkeys({place for end in named for place in _around(end, parents)}, n))
    by_pk = {row.pk: row for row in rows}
    for row in rows:
        row.groups, row.inside = own[row.pk], inside[row.pk]
    return list(_nested(rows, parents, by_pk.__contains__)), _share(counted)


def _around(place: int | None, parents: dict[int, int | None]) -> Iterable[int]:
    seen: set[int] = set()
    while place is not None and place not in seen:
        seen.add(place)
        place = parents.get(place)
    return seen


def _nested(rows: list[Row], parents: dict[int, int | None], is_shown: Callable[[int], bool]) -> Iterable[Row]:
    children: dict[int | None, list[Row]] = {}
    for row in rows:
        parent = parents.get(row.pk)
        children.setdefault(parent if parent is not None and is_shown(parent) else None, []).append(row)
    waiting = [(row, 0) for row in reversed(children.get(None, []))]
    while waiting:
        row, row.depth = waiting.pop()
        yield row
        waiting += [(child, row.depth + 1) for child in reversed(children.get(row.pk, []))]


def label_numbered(key: str, name: str) -> tuple[str, int] | None:
    """(kind, number) of the label of this name that a key of a question means."""
    if key not in KIND_OF_KEY:
        return None
    kind = KIND_OF_KEY[key][0]
    found = MODELS[kind]._default_manager.filter(name=name).values_list("pk", flat=True).first()
    return None if found is None else (kind, found)
