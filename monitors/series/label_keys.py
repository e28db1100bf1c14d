"""Labels as keys of a question: which column of a group holds each, where its name is, what a monitor must keep.

Labels stand on groups, so a question by label is answered by groups alone and lacks what the nodes folded into
`other`, as one with a filter does.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models

from monitors.models import Application, Location, Point, Service


@dataclass(frozen=True)
class LabelKey:
    """`column` of monitors_group holds the number of a `model`; one of the keys `needs` decides which, if any are
    named. `outermost` is of places: the largest one that it lies in."""

    column: str
    model: type[models.Model]
    needs: tuple[str, ...]
    outermost: bool = False

    @property
    def noun(self) -> str:
        return str(self.model._meta.verbose_name)

    @property
    def table(self) -> str:
        return self.model._meta.db_table


LABEL_KEYS = {
    "service": LabelKey("service_id", Service, ("server_ip", "server_net")),
    "client_location": LabelKey("client_location_id", Location, ("client_ip", "client_net", "host")),
    "server_location": LabelKey("server_location_id", Location, ("server_ip", "server_net", "host")),
    "client_site": LabelKey("client_location_id", Location, ("client_ip", "client_net", "host"), outermost=True),
    "server_site": LabelKey("server_location_id", Location, ("server_ip", "server_net", "host"), outermost=True),
    "point": LabelKey("point_id", Point, ()),
    "application": LabelKey("application_id", Application, ("server_port",)),
}


def folding(key: str) -> str:
    """SQL by which groups `g` are folded into labels; NULL for a group that has none."""
    label = LABEL_KEYS[key]
    return name_expression(key) if label.outermost else f"g.{label.column}"


def name_expression(key: str) -> str:
    """SQL of the label's name."""
    label = LABEL_KEYS[key]
    outer = f" LEFT JOIN {label.table} o ON o.id = l.top_id" if label.outermost else ""
    name = "coalesce(o.name, l.name)" if label.outermost else "l.name"
    return f"(SELECT {name} FROM {label.table} l{outer} WHERE l.id = g.{label.column})"
