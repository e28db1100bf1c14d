"""The term types of the filter language: small frozen values whose `str` is the filter again.

Every term carries its full qualifiers, so that `host a or b` becomes two complete terms and no reader has to know
about implied qualifiers. `column` and `width` say where a term stood in the text and take no part in comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

Direction = Literal["either", "both", "src", "dst", "client", "server"]

IPV4_BITS, IPV6_BITS = 32, 128


def _place(default: int) -> int:
    return field(default=default, compare=False, repr=False, kw_only=True)  # type: ignore[no-any-return]


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def _direction(direction: Direction) -> str:
    return {"either": "", "both": "src and dst"}.get(direction, direction)


@dataclass(frozen=True, slots=True)
class Everything:
    """The empty filter: all packets, all conversations."""

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class And:
    """All of `parts`, which are never themselves `And`."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of `parts`, which are never themselves `Or`."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, And) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    part: Expression

    def __str__(self) -> str:
        compound = isinstance(self.part, And | Or | Relation)
        return f"not ({self.part})" if compound else f"not {self.part}"


@dataclass(frozen=True, slots=True)
class Address:
    """`host` and `net`: an address under a mask, at one end or both. `layer` is "", ip, ip6, arp or rarp."""

    layer: str
    direction: Direction
    version: int
    value: int
    mask: int
    column: int = _place(1)
    width: int = _place(1)

    @property
    def prefix(self) -> int | None:
        """Length of the mask in bits, None for a mask with holes."""
        bits = IPV4_BITS if self.version == 4 else IPV6_BITS
        length = self.mask.bit_count()
        return length if self.mask == ((1 << length) - 1) << (bits - length) else None

    @property
    def address(self) -> IPv4Address | IPv6Address:
        return IPv4Address(self.value) if self.version == 4 else IPv6Address(self.value)

    def __str__(self) -> str:
        if self.prefix is None:
            what = f"net {self.address} mask {IPv4Address(self.mask)}"
        elif self.prefix == (IPV4_BITS if self.version == 4 else IPV6_BITS):
            what = f"host {self.address}"
        else:
            what = f"net {self.address}/{self.prefix}"
        return _words(self.layer, _direction(self.direction), what)


@dataclass(frozen=True, slots=True)
class EtherHost:
    """`ether host`: a MAC address of six bytes, written aa:bb:cc:dd:ee:ff."""

    direction: Direction
    mac: str
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        return _words("ether", _direction(self.direction), "host", self.mac)


@dataclass(frozen=True, slots=True)
class Port:
    """`port` and `portrange`, both ends included. `layer` is "", tcp, udp or sctp."""

    layer: str
    direction: Direction
    low: int
    high: int
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        what = f"port {self.low}" if self.low == self.high else f"portrange {self.low}-{self.high}"
        return _words(self.layer, _direction(self.direction), what)


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol by its own word: tcp, udp, icmp, ip, ip6, arp..."""

    name: str
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Proto:
    """`proto N` of a layer ("" = ip or ip6, ip, ip6, ether, iso, isis); `chain` is `protochain`."""

    layer: str
    number: int
    chain: bool = False
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        number = f"0x{self.number:04x}" if self.layer == "ether" else str(self.number)
        return _words(self.layer, "protochain" if self.chain else "proto", number)


@dataclass(frozen=True, slots=True)
class Cast:
    """`broadcast` and `multicast` of a layer: ether, ip or ip6."""

    layer: str
    kind: Literal["broadcast", "multicast"]
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        return _words(self.layer, self.kind)


@dataclass(frozen=True, slots=True)
class Tag:
    """A header that is looked into: vlan, mpls, pppoes or geneve, with its number or any (None)."""

    name: str
    number: int | None = None
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name} {self.number}"


@dataclass(frozen=True, slots=True)
class Vni:
    """`vni N`: a VXLAN or GENEVE network in any layer of the packet. Ours, not libpcap's."""

    number: int
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        return f"vni {self.number}"


@dataclass(frozen=True, slots=True)
class Word:
    """What is one word, perhaps with an argument, and concerns the frame alone: pppoed, inbound, ifindex 3, llc s."""

    name: str
    argument: str = ""
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        return _words(self.name, self.argument)


@dataclass(frozen=True, slots=True)
class Number:
    """A number in arithmetic; `text` keeps how it was written (tcp-syn, 0x0f)."""

    value: int
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text or str(self.value)


@dataclass(frozen=True, slots=True)
class Length:
    """`len`: the packet's length on the wire."""

    def __str__(self) -> str:
        return "len"


@dataclass(frozen=True, slots=True)
class Access:
    """Bytes of a header: `tcp[13]`, `ip[2:2]`."""

    layer: str
    offset: Arithmetic
    size: int = 1

    def __str__(self) -> str:
        return f"{self.layer}[{self.offset}]" if self.size == 1 else f"{self.layer}[{self.offset}:{self.size}]"


@dataclass(frozen=True, slots=True)
class Negative:
    value: Arithmetic

    def __str__(self) -> str:
        return f"-({self.value})" if isinstance(self.value, Binary) else f"-{self.value}"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two numbers joined by one of + - * / % & | ^ << >>."""

    left: Arithmetic
    operator: str
    right: Arithmetic

    def __str__(self) -> str:
        left, right = (f"({side})" if isinstance(side, Binary) else str(side) for side in (self.left, self.right))
        return f"{left} {self.operator} {right}"


@dataclass(frozen=True, slots=True)
class Relation:
    """A comparison of two numbers by one of = != < <= > >=, unsigned as in BPF."""

    left: Arithmetic
    operator: str
    right: Arithmetic
    column: int = _place(1)
    width: int = _place(1)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


Arithmetic = Number | Length | Access | Negative | Binary
Leaf = Address | EtherHost | Port | Protocol | Proto | Cast | Tag | Vni | Word | Relation
Expression = Everything | And | Or | Not | Leaf


def leaves(expression: Expression) -> Iterator[Leaf]:
    """The terms of a filter from left to right."""
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case Everything():
            return
        case _:
            yield expression


def conjunction(left: Expression, right: Expression) -> Expression:
    """`left and right`, flat."""
    parts = (left.parts if isinstance(left, And) else (left,)) + (right.parts if isinstance(right, And) else (right,))
    return And(parts)


def disjunction(left: Expression, right: Expression) -> Expression:
    """`left or right`, flat."""
    parts = (left.parts if isinstance(left, Or) else (left,)) + (right.parts if isinstance(right, Or) else (right,))
    return Or(parts)
