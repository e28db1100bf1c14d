"""Groups and labels for tests, without pulling anything."""

from __future__ import annotations

import datetime as dt
from itertools import count
from typing import Any

from monitors.models import Group, Location, Service

_numbers = count(1_000)


def group(monitor_id: int = 1, **keys: Any) -> Group:
    """A group as a pull leaves it, labels apart."""
    return Group.objects.create(
        monitor_id=monitor_id, id=next(_numbers), revision=1, first_seen=dt.datetime.now(dt.UTC), **keys
    )


def service(name: str, *endpoints: tuple[Any, ...], weight: int = 100) -> Service:
    """A service of (network, protocol, first port, last port), as many of these as are given."""
    made = Service.objects.create(name=name, weight=weight)
    for endpoint in endpoints:
        made.endpoints.create(**dict(zip(("network", "protocol", "port_from", "port_to"), endpoint, strict=False)))
    return made


def location(name: str, *networks: str, parent: Location | None = None, weight: int = 100) -> Location:
    made = Location.objects.create(name=name, parent=parent, weight=weight)
    for network in networks:
        made.networks.create(network=network)
    return made
