"""Monitoring points as CSV: one line each, with a node, a VNI, a VLAN or several of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitors.labels.sheets import cells as cell
from monitors.labels.sheets.labelled import LabelSheet
from monitors.labels.sheets.sheet import BadCell, Part, Problem, Wanted
from monitors.models import Node, Point


class Points(LabelSheet):
    key, title, noun = "points", "Monitoring points", "monitoring point"
    columns = ("name", "node", "vni", "vlan", "weight", "description")
    needed = ("name",)
    example = "name,node,vni,vlan,weight,description\nCore switch,,5569041,,,\nDMZ uplink,cstor-a,,120,,"
    model = Point
    fields = ("node", "vni", "vlan", "weight", "description")

    def column_of(self, key: str) -> str:
        return "node__name" if key == "node" else key

    def read_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"node": fields["node"] or ""}

    def parse(self, cells: Mapping[str, str]) -> tuple[dict[str, Any], list[Part]]:
        fields = cell.label_fields(cells)
        for column, last in (("vni", 2**24 - 1), ("vlan", 4095)):
            if column in cells:
                fields[column] = cell.number(cells, column, 0, last)
        if "node" in cells:
            fields["node"] = cells["node"]
        return fields, []

    def name_of(self, cells: Mapping[str, str]) -> str:
        name = super().name_of(cells)
        if not any(cells.get(column) for column in ("node", "vni", "vlan")):
            raise BadCell(f"{name} names neither node nor VNI nor VLAN: it would be everywhere")
        return name

    def check(self, wanted: dict[str, Wanted], stored: dict[str, Wanted], remove_missing: bool) -> list[Problem]:
        names = set(Node.objects.values_list("name", flat=True))
        return [
            Problem(one.line, f'there is no node "{one.fields["node"]}"')
            for one in wanted.values()
            if one.fields.get("node") and one.fields["node"] not in names
        ]

    def to_model(self, fields: dict[str, Any]) -> dict[str, Any]:
        if "node" not in fields:
            return fields
        node = Node.objects.filter(name=fields["node"]).first() if fields["node"] else None
        return {key: value for key, value in fields.items() if key != "node"} | {"node": node}

    def lines(self, name: str, one: Wanted) -> Iterable[dict[str, Any]]:
        yield {"name": name} | {key: "" if value is None else value for key, value in one.fields.items()}


POINTS = Points()
