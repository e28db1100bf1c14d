"""Names of hosts for whatever shows addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitors.models import HostName

CHUNK = 5_000
ADDRESS_KEYS = ("client_ip", "server_ip", "host")


def names_of(addresses: Iterable[str]) -> dict[str, str]:
    """Address -> name, of those that have one."""
    wanted = list(dict.fromkeys(addresses))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), CHUNK):
        rows = HostName.objects.filter(address__in=wanted[start : start + CHUNK]).exclude(name="")
        found |= {str(address): name for address, name in rows.values_list("address", "name")}
    return found


def names_in(groups: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Names of the addresses in keys of groups."""
    addresses = (str(group[key]) for group in groups for key in ADDRESS_KEYS if group.get(key))
    return names_of(addresses)
