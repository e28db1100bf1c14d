"""Protocols as CSV: one line per transport protocol, with its ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitors.labels.sheets import cells as cell
from monitors.labels.sheets.labelled import LabelSheet
from monitors.labels.sheets.sheet import BadCell, Part, Wanted
from monitors.models import Application, ApplicationPort


class Protocols(LabelSheet):
    key, title, noun = "protocols", "Protocols", "protocol"
    columns = ("name", "protocol", "ports", "weight", "description")
    needed = ("name", "ports")
    example = "name,protocol,ports,weight,description\nHTTPS,TCP,443,,\nHTTPS,UDP,443,,QUIC\nSIP,UDP,5060-5061,,"
    model, part_model, owner = Application, ApplicationPort, "application"
    part_columns = ("protocol", "port_from", "port_to")

    def parse(self, cells: Mapping[str, str]) -> tuple[dict[str, Any], list[Part]]:
        protocol, ports = cell.protocol(cells.get("protocol", "") or "TCP"), cell.ports(cells["ports"])
        if not ports:
            raise BadCell("the ports are missing")
        if len(set(ports)) < len(ports):
            raise BadCell(f'ports "{cells["ports"]}" name one twice')
        return cell.label_fields(cells), [(protocol, first, last) for first, last in ports]

    def part_text(self, part: Part) -> str:
        protocol, first, last = part
        return f"{cell.protocol_text(protocol)} {cell.ports_text(first, last)}"

    def lines(self, name: str, one: Wanted) -> Iterable[dict[str, Any]]:
        by_protocol: dict[int, list[str]] = {}
        for protocol, first, last in one.parts:
            by_protocol.setdefault(protocol, []).append(cell.ports_text(first, last))
        for protocol, ports in by_protocol.items():
            yield {"name": name, "protocol": cell.protocol_text(protocol), "ports": " ".join(ports), **one.fields}


PROTOCOLS = Protocols()
