"""Locations as CSV: one line per network; `parent` is the place that it lies in, of the sheet or of those there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitors.labels.changes import refresh_tops
from monitors.labels.sheets import cells as cell
from monitors.labels.sheets.labelled import LabelSheet
from monitors.labels.sheets.sheet import Part, Plan, Problem, Wanted
from monitors.models import Location, LocationNetwork


class Locations(LabelSheet):
    key, title, noun = "locations", "Locations", "location"
    columns = ("name", "parent", "network", "weight", "description")
    needed = ("name", "network")
    example = (
        "name,parent,network,weight,description\nBerlin,,10.4.0.0/16,,\nBerlin hall 2,Berlin,10.4.2.0/24,,Racks 1-40"
    )
    model, part_model, owner = Location, LocationNetwork, "location"
    part_columns = ("network",)
    fields = ("parent", "weight", "description")

    def column_of(self, key: str) -> str:
        return "parent__name" if key == "parent" else key

    def read_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"parent": fields["parent"] or ""}

    def parse(self, cells: Mapping[str, str]) -> tuple[dict[str, Any], list[Part]]:
        fields = cell.label_fields(cells)
        if "parent" in cells:
            fields["parent"] = cells["parent"]
        # A place that only holds other places has no network of its own.
        return fields, [(cell.network(cells["network"]),)] if cells["network"] else []

    def check(self, wanted: dict[str, Wanted], stored: dict[str, Wanted], remove_missing: bool) -> list[Problem]:
        """Parents that are not there, that would go, or that lie in what lies in them."""
        known = {} if remove_missing else stored
        parents = {name: one.fields["parent"] for name, one in known.items()}
        parents |= {
            name: one.fields.get("parent", stored[name].fields["parent"] if name in stored else "")
            for name, one in wanted.items()
        }
        problems = []
        for name, one in wanted.items():
            parent = parents[name]
            if parent and parent not in parents:
                gone = " that stays" if parent in stored else ""
                problems.append(Problem(one.line, f'parent "{parent}" of {name} is no location{gone}'))
            elif circle := _circle(name, parents):
                problems.append(Problem(one.line, f"{' lies in '.join(circle)}: a place cannot lie in itself"))
        return problems

    def to_model(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Parents follow once all places are there."""
        return {key: value for key, value in fields.items() if key != "parent"}

    def relate(self, plan: Plan) -> None:
        numbers = dict(Location.objects.values_list("name", "pk"))
        for name, one in (plan.new | plan.changed).items():
            if "parent" in one.fields:
                Location.objects.filter(name=name).update(parent_id=numbers.get(one.fields["parent"]))
        Location.objects.filter(name__in=plan.removed).update(parent=None)

    def saved(self) -> None:
        refresh_tops()
        super().saved()

    def lines(self, name: str, one: Wanted) -> Iterable[dict[str, Any]]:
        for (network,) in one.parts or [("",)]:
            yield {"name": name, "network": network, **one.fields}


def _circle(name: str, parents: Mapping[str, str]) -> list[str]:
    """The way from a place back to itself; empty where there is none."""
    way, place = [name], parents[name]
    while place and place in parents and place not in way:
        way.append(place)
        place = parents[place]
    return [*way, name] if place == name else []


LOCATIONS = Locations()
