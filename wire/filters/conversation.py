"""A filter over conversations and sessions: expression -> conditions on their keys, in both directions.

A conversation matches if one of its two directions does: the text is evaluated for client -> server and for
server -> client, `not` inside each, and the two are joined by "or". So `src host A` finds A as client and as server,
and `src host A and dst host B` both ways round. In series the client's port is not kept: `port N` is the server's, a
test of the client's port is false. Terms that need the packet are refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wire.filters.error import FilterRefused
from wire.filters.terms import (
    Address,
    And,
    Cast,
    Direction,
    EtherHost,
    Everything,
    Expression,
    Leaf,
    Not,
    Or,
    Port,
    Proto,
    Protocol,
    Relation,
    Tag,
    Vni,
    Word,
    leaves,
)

Side = Literal["client", "server"]

PROTOCOL_NUMBERS = {
    "icmp": 1, "igmp": 2, "tcp": 6, "igrp": 9, "udp": 17, "esp": 50, "ah": 51, "icmp6": 58, "pim": 103, "vrrp": 112,
    "carp": 112, "sctp": 132,
}  # fmt: skip
PORT_PROTOCOLS = (6, 17, 132)
IPV4_MAPPED = 0xFFFF << 32  # an IPv4 address among the 128-bit ones: ::ffff:a.b.c.d


@dataclass(frozen=True, slots=True)
class InNetwork:
    """The address of a side lies in a network; `value` and `prefix` are 128 bits wide, IPv4 mapped."""

    side: Side
    value: int
    prefix: int
    term: Leaf


@dataclass(frozen=True, slots=True)
class PortBetween:
    side: Side
    low: int
    high: int
    term: Leaf


@dataclass(frozen=True, slots=True)
class ProtocolIn:
    numbers: tuple[int, ...]
    term: Leaf


@dataclass(frozen=True, slots=True)
class VersionIs:
    version: int
    term: Leaf


@dataclass(frozen=True, slots=True)
class VniIs:
    number: int
    term: Leaf


@dataclass(frozen=True, slots=True)
class VlanIs:
    """A VLAN tag, any if `number` is None."""

    number: int | None
    term: Leaf


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    part: Condition


Test = InNetwork | PortBetween | ProtocolIn | VersionIs | VniIs | VlanIs
Condition = All | Some | Negated | Test
TRUE, FALSE = All(()), Some(())


def conditions(expression: Expression, client_ports: bool) -> Condition:
    """The conditions under which a conversation matches; sessions know the client's port, series do not."""
    forward = _Lowering("client", "server", client_ports).lower(expression)
    if not _has_direction(expression):
        return forward
    return Some((forward, _Lowering("server", "client", client_ports).lower(expression)))


def refuse(term: Leaf, reason: str) -> FilterRefused:
    """A refusal that points at a term."""
    return FilterRefused(reason, "", term.column, term.width)


def _has_direction(expression: Expression) -> bool:
    return any(
        (isinstance(leaf, Address | Port) and leaf.direction in ("src", "dst")) or _is_ip_multicast(leaf)
        for leaf in leaves(expression)
    )


def _is_ip_multicast(leaf: Leaf) -> bool:
    return isinstance(leaf, Cast) and leaf.layer != "ether" and leaf.kind == "multicast"


class _Lowering:
    """One direction: which side is the source, which the destination."""

    def __init__(self, src: Side, dst: Side, client_ports: bool) -> None:
        self.src = src
        self.dst = dst
        self.client_ports = client_ports

    def lower(self, expression: Expression) -> Condition:
        match expression:
            case Everything():
                return TRUE
            case And(parts):
                return All(tuple(self.lower(part) for part in parts))
            case Or(parts):
                return Some(tuple(self.lower(part) for part in parts))
            case Not(part):
                return Negated(self.lower(part))
            case _:
                return self.leaf(expression)

    def leaf(self, term: Leaf) -> Condition:
        match term:
            case Address():
                return self.address(term)
            case Port():
                return self.port(term)
            case Protocol(name) if name in PROTOCOL_NUMBERS:
                return ProtocolIn((PROTOCOL_NUMBERS[name],), term)
            case Protocol(name) if name in ("ip", "ip6"):
                return VersionIs(4 if name == "ip" else 6, term)
            case Proto(layer, number) if layer in ("", "ip", "ip6"):
                protocol = ProtocolIn((number,), term)
                return All((VersionIs(4 if layer == "ip" else 6, term), protocol)) if layer else protocol
            case Tag("vlan", number):
                return VlanIs(number, term)
            case Vni(number):
                return VniIs(number, term)
            case Cast(layer, "multicast") if layer != "ether":
                # libpcap: the first byte of the destination is at least 224, or 0xff in IPv6
                value, prefix = (IPV4_MAPPED | 224 << 24, 96 + 3) if layer == "ip" else (0xFF << 120, 8)
                return InNetwork(self.dst, value, prefix, term)
            case _:
                raise refuse(term, f"'{term}' {_why_packets(term)}: search packets with it instead")

    def sides(self, direction: Direction) -> tuple[Side, ...]:
        chosen: dict[Direction, tuple[Side, ...]] = {
            "src": (self.src,),
            "dst": (self.dst,),
            "client": ("client",),
            "server": ("server",),
        }
        return chosen.get(direction, ("client", "server"))

    def joined(self, direction: Direction, tests: list[Condition]) -> Condition:
        if len(tests) == 1:
            return tests[0]
        return All(tuple(tests)) if direction == "both" else Some(tuple(tests))

    def address(self, term: Address) -> Condition:
        if term.layer in ("arp", "rarp"):
            raise refuse(
                term, f"'{term}' looks at {term.layer.upper()}, which has no conversations: search packets with it"
            )
        if term.prefix is None:
            raise refuse(term, f"'{term}' has a mask with holes, which only a search over packets can follow")
        value = IPV4_MAPPED | term.value if term.version == 4 else term.value
        prefix = 96 + term.prefix if term.version == 4 else term.prefix
        tests: list[Condition] = [InNetwork(side, value, prefix, term) for side in self.sides(term.direction)]
        found = self.joined(term.direction, tests)
        # A network as wide as ::/0 would also hold the IPv4 addresses mapped into IPv6.
        holds_mapped = term.version == 6 and prefix < 96 and (IPV4_MAPPED ^ value) >> (128 - prefix) == 0
        return All((VersionIs(6, term), found)) if holds_mapped else found

    def port(self, term: Port) -> Condition:
        if term.direction == "client" and not self.client_ports:
            raise refuse(term, f"'{term}' needs the client's port, which series do not keep: ask sessions or packets")
        tests: list[Condition] = []
        for side in self.sides(term.direction):
            known = side == "server" or self.client_ports
            tests.append(PortBetween(side, term.low, term.high, term) if known else FALSE)
        if not self.client_ports and term.direction == "either":
            tests = [PortBetween("server", term.low, term.high, term)]
        ports = self.joined(term.direction, tests)
        if term.layer:
            return All((ProtocolIn((PROTOCOL_NUMBERS[term.layer],), term), ports))
        # Port 0 is also what conversations without ports carry.
        return All((ProtocolIn(PORT_PROTOCOLS, term), ports)) if term.low == 0 else ports


def _why_packets(term: Leaf) -> str:
    match term:
        case Relation():
            return "looks at bytes or the length of single packets"
        case EtherHost() | Cast():
            return "looks at Ethernet addresses, which conversations do not keep"
        case Tag("geneve"):
            return "looks at one tunnel header ('vni N' finds its network in conversations)"
        case Tag() | Word() | Protocol() | Proto():
            return "looks at the frame around IP, which conversations do not keep"
        case _:
            return "needs packets"
