"""Names of hosts for whatever shows addresses."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.models import HostName

CHUNK = 5_000


def names_of(addresses: Iterable[str]) -> dict[str, str]:
    """Address -> name, of those that have one."""
    wanted = list(dict.fromkeys(addresses))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), CHUNK):
        rows = HostName.objects.filter(address__in=wanted[start : start + CHUNK]).exclude(name="")
        found |= {str(address): name for address, name in rows.values_list("address", "name")}
    return found
