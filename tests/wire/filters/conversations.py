"""A naive reading of filters over conversations, term by term in plain Python, and conversations to try it on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from tests.wire.filters.expressions import HOSTS
from wire.filters.terms import Address, And, Cast, Everything, Expression, Not, Or, Port, Proto, Protocol, Tag, Vni


@dataclass(frozen=True)
class Conversation:
    client: IPv4Address | IPv6Address
    server: IPv4Address | IPv6Address
    client_port: int
    server_port: int
    protocol: int
    vni: int | None
    vlan: int | None


def some(count: int, seed: int) -> list[Conversation]:
    """Conversations over few addresses, ports and protocols, so that filters over the same values meet them."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        client = chance.choice(HOSTS)
        server = chance.choice([host for host in [*HOSTS, IPv4Address("224.0.0.5")] if host.version == client.version])
        protocol = chance.choice((1 if client.version == 4 else 58, 6, 17))
        ports = (chance.choice((50000, 50500)), chance.choice((53, 80, 443))) if protocol in (6, 17) else (0, 0)
        vni, vlan = chance.choice((None, 0, 7)), chance.choice((None, 5, 6))
        made.append(Conversation(client, server, *ports, protocol, vni, vlan))
    return made


def matches(expression: Expression, row: Conversation, client_ports: bool) -> bool:
    """Either direction, `not` inside each."""
    return any(_holds(expression, row, reverse, client_ports) for reverse in (False, True))


def _holds(term: Expression, row: Conversation, reverse: bool, client_ports: bool) -> bool:
    def holds(part: Expression) -> bool:
        return _holds(part, row, reverse, client_ports)

    sides = {"src": "server" if reverse else "client", "dst": "client" if reverse else "server"}
    match term:
        case Everything():
            return True
        case And(parts):
            return all(map(holds, parts))
        case Or(parts):
            return any(map(holds, parts))
        case Not(part):
            return not holds(part)
        case Address(_, direction):
            network = (IPv4Network if term.version == 4 else IPv6Network)((term.value, term.prefix))
            return _at(direction, sides, lambda side: getattr(row, side) in network)
        case Port(layer, direction):
            if layer and row.protocol != {"tcp": 6, "udp": 17, "sctp": 132}[layer]:
                return False
            if row.protocol not in (6, 17, 132):
                return False
            if not client_ports and direction == "either":
                direction = "server"
            known = ("client", "server") if client_ports else ("server",)
            return _at(
                direction,
                sides,
                lambda side: side in known and term.low <= getattr(row, f"{side}_port") <= term.high,
            )
        case Protocol(name):
            if name in ("ip", "ip6"):
                return row.client.version == (4 if name == "ip" else 6)
            return row.protocol == {"tcp": 6, "udp": 17, "icmp": 1}[name]
        case Proto(layer, number):
            return row.protocol == number and layer in ("", "ip" if row.client.version == 4 else "ip6")
        case Tag("vlan", number):
            return row.vlan is not None and number in (None, row.vlan)
        case Vni(number):
            return row.vni == number
        case Cast("ip", "multicast"):
            target = getattr(row, sides["dst"])
            return target.version == 4 and target.packed[0] >= 224
    raise AssertionError(term)


def _at(direction: str, sides: dict[str, str], test) -> bool:  # type: ignore[no-untyped-def]
    if direction == "both":
        return test("client") and test("server")
    if direction == "either":
        return test("client") or test("server")
    return test(sides.get(direction, direction))


def mapped(address: IPv4Address | IPv6Address) -> bytes:
    """Sixteen bytes, IPv4 as ::ffff:a.b.c.d."""
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
