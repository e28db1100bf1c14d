"""Services as CSV: one line per network, with the ports that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitors.labels.sheets import cells as cell
from monitors.labels.sheets.labelled import LabelSheet
from monitors.labels.sheets.sheet import BadCell, Part, Wanted
from monitors.models import Service, ServiceEndpoint


class Services(LabelSheet):
    key, title, noun = "services", "Services", "service"
    columns = ("name", "network", "protocol", "ports", "weight", "description")
    needed = ("name", "network")
    example = (
        "name,network,protocol,ports,weight,description\nShop,10.2.0.0/24,TCP,80 443,100,Web shop\nShop,10.2.1.7,,,,"
    )
    model, part_model, owner = Service, ServiceEndpoint, "service"
    part_columns = ("network", "protocol", "port_from", "port_to")

    def parse(self, cells: Mapping[str, str]) -> tuple[dict[str, Any], list[Part]]:
        network, protocol = cell.network(cells["network"]), cell.protocol(cells.get("protocol", ""))
        ports: list[tuple[int | None, int | None]] = [*cell.ports(cells.get("ports", ""))] or [(None, None)]
        if len(set(ports)) < len(ports):
            raise BadCell(f'ports "{cells["ports"]}" name one twice')
        return cell.label_fields(cells), [(network, protocol, first, last) for first, last in ports]

    def part_text(self, part: Part) -> str:
        network, protocol, first, last = part
        words = (network, cell.protocol_text(protocol), cell.ports_text(first, last))
        return " ".join(word for word in words if word)

    def lines(self, name: str, one: Wanted) -> Iterable[dict[str, Any]]:
        head = {"name": name, **one.fields}
        by_end: dict[tuple[Any, Any], list[str]] = {}
        for network, protocol, first, last in one.parts:
            by_end.setdefault((network, protocol), []).append(cell.ports_text(first, last))
        for (network, protocol), ports in by_end.items():
            shown = {"network": network, "protocol": cell.protocol_text(protocol)}
            if "" in ports:
                yield head | shown
            if any(ports):
                yield head | shown | {"ports": " ".join(word for word in ports if word)}


SERVICES = Services()
