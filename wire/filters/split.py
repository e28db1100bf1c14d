"""A filter -> a tree of BPF programs and of what libpcap does not know, for one reading of packets.

Runs of neighbouring terms of the same place become one program. The order of the text is kept: in libpcap a tag such as
`vlan` moves the offsets of all that follows it, so a program that stands after one is told of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from wire.filters.names import words
from wire.filters.terms import (
    Access,
    Address,
    And,
    Binary,
    Cast,
    Direction,
    EtherHost,
    Expression,
    Leaf,
    Negative,
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

Place = Literal["frame", "inner"]
IP_FAMILY = words("ip ip6 sctp tcp udp icmp icmp6 igmp igrp pim vrrp carp ah esp")
ALWAYS = "len >= 0"


@dataclass(frozen=True, slots=True)
class Program:
    """What one BPF program decides, run over the frame or over the innermost packet."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class AnyVni:
    """The packet carries a VNI in any layer."""

    number: int


@dataclass(frozen=True, slots=True)
class FromClient:
    """The packet runs from client to server, or the other way: known from its flow, not from its bytes."""

    forward: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    part: Node


Node = Program | AnyVni | FromClient | AllOf | AnyOf | NoneOf


def split(expression: Expression, outer: bool) -> Node:
    """The tree for the frame as a whole (`outer`), or for frames whose innermost packet is meant."""
    return _Splitter(_in_frame if outer else _where).node(expression)


def has_role(leaf: Leaf) -> bool:
    """Whether a term asks for client or server."""
    return isinstance(leaf, Address | Port) and leaf.direction in ("client", "server")


def programs(node: Node) -> Iterator[Program]:
    """All programs of a tree."""
    match node:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from programs(part)
        case NoneOf(part):
            yield from programs(part)
        case Program():
            yield node


class _Splitter:
    """Walks from left to right and remembers the tags it has passed."""

    def __init__(self, where: Callable[[Leaf], Place]) -> None:
        self.where = where
        self.tags: list[Tag] = []

    def node(self, expression: Expression) -> Node:
        place = self.place(expression)
        if place:
            return self.program(expression, place)
        match expression:
            case And(parts):
                return AllOf(tuple(self.runs(parts, And)))
            case Or(parts):
                return AnyOf(tuple(self.runs(parts, Or)))
            case Not(part):
                return NoneOf(self.node(part))
            case Vni(number):
                return AnyVni(number)
            case Address() | Port():
                return self.by_role(expression)
            case _:
                raise TypeError(f"no reading of {expression!r}")

    def by_role(self, term: Address | Port) -> Node:
        """`client host A`: from the client and `src host A`, or from the server and `dst host A`."""
        ends: tuple[Direction, Direction] = ("src", "dst") if term.direction == "client" else ("dst", "src")
        sent, received = (self.node(replace(term, direction=end)) for end in ends)
        return AnyOf((AllOf((FromClient(True), sent)), AllOf((FromClient(False), received))))

    def runs(self, parts: tuple[Expression, ...], joint: type[And] | type[Or]) -> Iterator[Node]:
        run: list[Expression] = []
        for part in parts:
            place = self.place(part)
            if run and place != self.place(run[0]):
                yield self.node(joint(tuple(run)) if len(run) > 1 else run[0])
                run = []
            if place:
                run.append(part)
            else:
                yield self.node(part)
        if run:
            yield self.node(joint(tuple(run)) if len(run) > 1 else run[0])

    def program(self, expression: Expression, place: Place) -> Program:
        if place == "inner" or not self.tags:
            text = str(expression)
        else:
            text = " and ".join([*(f"({tag} or {ALWAYS})" for tag in self.tags), f"({expression})"])
        self.tags += [leaf for leaf in leaves(expression) if isinstance(leaf, Tag)]
        return Program(text, place)

    def place(self, expression: Expression) -> Place | None:
        """Where all terms of an expression look, None if they do not agree or one is not for libpcap."""
        places = {None if isinstance(leaf, Vni) or has_role(leaf) else self.where(leaf) for leaf in leaves(expression)}
        return places.pop() if len(places) == 1 else None


def _in_frame(leaf: Leaf) -> Place:
    return "frame"


def _where(leaf: Leaf) -> Place:
    """Does a term speak of the frame, or of the innermost IP packet?"""
    match leaf:
        case EtherHost() | Tag() | Word():
            return "frame"
        case Protocol(name):
            return "inner" if name in IP_FAMILY else "frame"
        case Proto(layer) | Cast(layer) | Address(layer):
            return "frame" if layer in ("ether", "iso", "isis", "arp", "rarp") else "inner"
        case Relation(left, _, right):
            return "inner" if _reads(left) | _reads(right) <= IP_FAMILY else "frame"
        case _:
            return "inner"


def _reads(number: object) -> set[str]:
    """The layers whose bytes an arithmetic expression looks at."""
    match number:
        case Access(layer, offset):
            return {layer} | _reads(offset)
        case Binary(left, _, right):
            return _reads(left) | _reads(right)
        case Negative(value):
            return _reads(value)
        case _:
            return set()
