"""Labels as rules, to say where two of them overlap, which one wins there, and what of a label never wins.

The order is the one of `resolve.py`: a rule with the lower `rank` wins where both fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import pairwise
from typing import Any

from monitors.models import Application, Location, Point, Service
from monitors.models.label import TransportProtocol

Network = IPv4Network | IPv6Network
Ports = tuple[int, int]
LAST_PORT = 65_535


@dataclass(frozen=True)
class Region:
    """Conversations by network, transport protocol, port, node, VNI and VLAN; None is any, and none."""

    network: Network | None = None
    protocol: int | None = None
    ports: Ports | None = None
    node: str | None = None
    vni: int | None = None
    vlan: int | None = None

    def __str__(self) -> str:
        parts = [str(self.network)] if self.network else []
        if self.protocol is not None:
            parts.append(TransportProtocol(self.protocol).label)
        if self.ports is not None:
            first, last = self.ports
            parts.append(f"port {first}" if first == last else f"ports {first}-{last}")
        named = (("node", self.node), ("VNI", self.vni), ("VLAN", self.vlan))
        return " ".join([*parts, *(f"{word} {value}" for word, value in named if value is not None)])

    def common(self, other: Region) -> Region | None:
        """What lies in both; None where nothing does."""
        found: dict[str, Any] = {}
        for name, meet in _MEET.items():
            one, two = getattr(self, name), getattr(other, name)
            both = (two if one is None else one) if one is None or two is None else meet(one, two)
            if both is None and not (one is None and two is None):
                return None
            found[name] = both
        return Region(**found)


def _same(one: Any, two: Any) -> Any:
    return one if one == two else None


def _smaller(one: Network, two: Network) -> Network | None:
    small, large = sorted((one, two), key=lambda network: -network.prefixlen)
    is_in = small.version == large.version and small.subnet_of(large)  # type: ignore[arg-type]
    return small if is_in else None


def _shared(one: Ports, two: Ports) -> Ports | None:
    low, high = max(one[0], two[0]), min(one[1], two[1])
    return (low, high) if low <= high else None


_MEET: dict[str, Callable[[Any, Any], Any]] = {
    "network": _smaller,
    "protocol": _same,
    "ports": _shared,
    "node": _same,
    "vni": _same,
    "vlan": _same,
}


@dataclass(frozen=True)
class Rule:
    """One line of a label: the conversations it names, and its place among those that fit as well."""

    label_id: int
    label: str
    region: Region
    rank: tuple[int, ...]


@dataclass(frozen=True)
class Overlap:
    """Where two labels meet, and who wins there."""

    winner: Rule
    loser: Rule
    region: Region


def rules_of(kind: str) -> list[Rule]:
    """All rules of services, locations, points or protocols."""
    return _READERS[kind]()


def _services() -> list[Rule]:
    rows = Service.objects.filter(endpoints__isnull=False).values_list(
        "pk",
        "name",
        "weight",
        "endpoints__network",
        "endpoints__protocol",
        "endpoints__port_from",
        "endpoints__port_to",
    )
    found = []
    for number, name, weight, text, protocol, first, last in rows:
        network = ip_network(text)
        ports = None if first is None else (first, last or first)
        rank = (-network.prefixlen, ports is None, weight, number)
        found.append(Rule(number, name, Region(network, protocol, ports), rank))
    return found


def _locations() -> list[Rule]:
    rows = Location.objects.filter(networks__isnull=False).values_list("pk", "name", "weight", "networks__network")
    networks = ((number, name, weight, ip_network(text)) for number, name, weight, text in rows)
    return [
        Rule(number, name, Region(network), (-network.prefixlen, weight, number))
        for number, name, weight, network in networks
    ]


def _points() -> list[Rule]:
    found = []
    rows = Point.objects.values_list("pk", "name", "weight", "node__name", "vni", "vlan")
    for number, name, weight, node, vni, vlan in rows:
        named = sum(value is not None for value in (node, vni, vlan))
        if named:
            found.append(Rule(number, name, Region(node=node, vni=vni, vlan=vlan), (-named, weight, number)))
    return found


def _protocols() -> list[Rule]:
    rows = Application.objects.filter(ports__isnull=False).values_list(
        "pk", "name", "weight", "ports__protocol", "ports__port_from", "ports__port_to"
    )
    return [
        Rule(number, name, Region(protocol=protocol, ports=(first, last or first)), (weight, number))
        for number, name, weight, protocol, first, last in rows
    ]


_READERS = {"services": _services, "locations": _locations, "points": _points, "protocols": _protocols}


def overlaps(rules: Sequence[Rule]) -> list[Overlap]:
    """Every place where rules of two labels meet. Networks meet only inside one another, so each looks at its own
    supernets alone."""
    by_network: dict[Network | None, list[Rule]] = {}
    for rule in rules:
        by_network.setdefault(rule.region.network, []).append(rule)
    lengths = {
        version: sorted({n.prefixlen for n in by_network if n is not None and n.version == version})
        for version in (4, 6)
    }
    found = []
    for network, inner in by_network.items():
        for above in _supernets(network, lengths):
            for one in inner:
                for two in by_network.get(above, ()):
                    # Within one network each pair would be met twice.
                    if one.label_id != two.label_id and (network != above or one.rank < two.rank):
                        found += _overlap(one, two)
    return found


def _supernets(network: Network | None, lengths: dict[int, list[int]]) -> Iterable[Network | None]:
    if network is None:
        return [None]
    return [network.supernet(new_prefix=n) for n in lengths[network.version] if n <= network.prefixlen]


def _overlap(one: Rule, two: Rule) -> list[Overlap]:
    region = one.region.common(two.region)
    if region is None:
        return []
    winner, loser = sorted((one, two), key=lambda rule: rule.rank)
    return [Overlap(winner, loser, region)]


def never_wins(rule: Rule, lost: Sequence[Overlap]) -> bool:
    """Whether rules of other labels take all that this one names; `lost` are the overlaps that it loses."""
    taken = [item.region for item in lost]
    for protocol in _protocols_of(rule.region, taken):
        for ports in _pieces(rule.region, taken):
            piece = replace(rule.region, protocol=protocol, ports=ports)
            if not _is_covered(piece, [region for region in taken if _contains_ports(region, piece)]):
                return False
    return bool(taken)


def _protocols_of(region: Region, taken: Sequence[Region]) -> list[int | None]:
    """The named protocol, or each one that matters and (None) all the others."""
    if region.protocol is not None:
        return [region.protocol]
    return [None, *sorted({other.protocol for other in taken if other.protocol is not None})]


def _pieces(region: Region, taken: Sequence[Region]) -> list[Ports | None]:
    """The ports of a region cut where any other begins or ends; None stands for conversations without ports."""
    first, last = region.ports or (0, LAST_PORT)
    cuts = {first, last + 1}
    for other in taken:
        if other.ports is not None:
            cuts |= {port for port in (other.ports[0], other.ports[1] + 1) if first < port <= last}
    edges = sorted(cuts)
    pieces: list[Ports | None] = [(low, high - 1) for low, high in pairwise(edges)]
    return pieces if region.ports is not None else [None, *pieces]


def _contains_ports(region: Region, piece: Region) -> bool:
    if region.protocol is not None and region.protocol != piece.protocol:
        return False
    return region.ports is None or (
        piece.ports is not None and region.ports[0] <= piece.ports[0] and piece.ports[1] <= region.ports[1]
    )


def _is_covered(piece: Region, taken: Sequence[Region]) -> bool:
    if piece.network is None:
        return any((region.node, region.vni, region.vlan) == (piece.node, piece.vni, piece.vlan) for region in taken)
    return piece.network in collapse_addresses([region.network for region in taken])  # type: ignore[type-var]
