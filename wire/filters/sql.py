"""Filter -> SQL condition with parameters: over Parquet by DuckDB, over the samples' groups by PostgreSQL.

A dialect knows how a key is spelt and what is not kept. A test of a key that is NULL (no VLAN, no VNI) is false, so
that `not vlan 5` is true there: every test is written so that it never yields NULL.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol as Interface

from wire.filters.conversation import (
    IPV4_MAPPED,
    All,
    Condition,
    InNetwork,
    Negated,
    PortBetween,
    ProtocolIn,
    Side,
    Some,
    Test,
    VersionIs,
    VlanIs,
    VniIs,
    conditions,
    refuse,
)
from wire.filters.error import FilterRefused
from wire.filters.terms import Address, And, Expression, Leaf, Not, Or, leaves

IPV6_BITS = 128


@dataclass(frozen=True, slots=True)
class Sql:
    """SQL that is never NULL, and the values of its placeholders in order."""

    sql: str
    parameters: tuple[object, ...] = ()


class Dialect(Interface):
    """How tests on keys are written for one table."""

    @property
    def client_ports(self) -> bool: ...

    @property
    def placeholder(self) -> str: ...

    def check(self, expression: Expression) -> None:
        """Raise FilterRefused for what the table cannot answer as a whole."""

    def test(self, test: Test) -> Sql:
        """The SQL of one test."""


def where(expression: Expression, dialect: Dialect, text: str = "") -> Sql:
    """The condition of a WHERE clause; `text` is what refusals point into (the filter as it was written)."""
    try:
        dialect.check(expression)
        return _render(conditions(expression, dialect.client_ports), dialect)
    except FilterRefused as refusal:
        raise refusal.with_text(text or str(expression)) from None


def _render(condition: Condition, dialect: Dialect) -> Sql:
    match condition:
        case All(parts):
            return _joined([_render(part, dialect) for part in parts], " AND ", "TRUE")
        case Some(parts):
            return _joined([_render(part, dialect) for part in parts], " OR ", "FALSE")
        case Negated(part):
            inner = _render(part, dialect)
            return Sql(f"NOT ({inner.sql})", inner.parameters)
        case _:
            return dialect.test(condition)


def _joined(parts: list[Sql], word: str, empty: str) -> Sql:
    if not parts:
        return Sql(empty)
    sql = word.join(part.sql for part in parts)
    parameters = tuple(parameter for part in parts for parameter in part.parameters)
    return Sql(f"({sql})" if len(parts) > 1 else sql, parameters)


def _port_sql(column: str, mark: str, test: PortBetween) -> Sql:
    if test.low == test.high:
        return Sql(f"{column} = {mark}", (test.low,))
    return Sql(f"{column} BETWEEN {mark} AND {mark}", (test.low, test.high))


def _numbers_sql(column: str, mark: str, numbers: tuple[int, ...]) -> Sql:
    if len(numbers) == 1:
        return Sql(f"{column} = {mark}", numbers)
    return Sql(f"{column} IN ({', '.join(mark for _ in numbers)})", numbers)


@dataclass(frozen=True, slots=True)
class ParquetDialect:
    """DuckDB over series/ or sessions/: client_addr and server_addr are blobs of 16 bytes, IPv4 as ::ffff:a.b.c.d."""

    client_ports: bool
    placeholder: str = "?"

    def check(self, expression: Expression) -> None:
        """Every key is there."""

    def test(self, test: Test) -> Sql:
        match test:
            case InNetwork(side, value, prefix):
                return self._network(side, value, prefix)
            case VersionIs(version):
                mapped = self._network("client", IPV4_MAPPED, 96)
                return mapped if version == 4 else Sql(f"NOT ({mapped.sql})", mapped.parameters)
            case PortBetween(side):
                inner = _port_sql(f"{side}_port", "?", test)
                return Sql(f"({side}_port IS NOT NULL AND {inner.sql})", inner.parameters)
            case ProtocolIn(numbers):
                return _numbers_sql("protocol", "?", numbers)
            case VniIs(number):
                return Sql("(vni IS NOT NULL AND vni = ?)", (number,))
            case VlanIs(number):
                if number is None:
                    return Sql("vlan IS NOT NULL")
                return Sql("(vlan IS NOT NULL AND vlan = ?)", (number,))

    def _network(self, side: Side, value: int, prefix: int) -> Sql:
        # A range over blobs, since DuckDB's inet is an extension that has to be downloaded; Parquet skips by it.
        if prefix == IPV6_BITS:
            return Sql(f"{side}_addr = ?", (value.to_bytes(16, "big"),))
        last = value | ((1 << (IPV6_BITS - prefix)) - 1)
        bounds = (value.to_bytes(16, "big"), last.to_bytes(16, "big"))
        return Sql(f"{side}_addr BETWEEN ? AND ?", bounds)


@dataclass(frozen=True, slots=True)
class SamplesDialect:
    """PostgreSQL over monitors_group, whose columns are NULL unless the monitor's `keys` hold them."""

    keys: frozenset[str]
    monitor: str
    alias: str = ""
    client_ports: bool = False
    placeholder: str = "%s"

    def check(self, expression: Expression) -> None:
        """A `host` row counts each conversation at both its ends: one address per row is all it can be asked for."""
        if "host" in self.keys and not {"client_ip", "server_ip"} <= self.keys:
            second = _second_address(expression, False)
            if second is not None:
                raise refuse(second, f"{self._lacks('client_ip and server_ip')} (rows by host know one address only)")

    def test(self, test: Test) -> Sql:
        match test:
            case InNetwork(side, value, prefix, term):
                return self._network(side, value, prefix, term)
            case VersionIs(version, term):
                return self._version(version, term)
            case PortBetween(side, term=term):
                return self._known("server_port", term, _port_sql(self._column("server_port", term), "%s", test))
            case ProtocolIn(numbers, term):
                return self._known("protocol", term, _numbers_sql(self._column("protocol", term), "%s", numbers))
            case VniIs(number, term):
                return self._known("vni", term, _numbers_sql(self._column("vni", term), "%s", (number,)))
            case VlanIs(number, term):
                column = self._column("vlan", term)
                some = Sql(f"{column} IS NOT NULL")
                return some if number is None else self._known("vlan", term, Sql(f"{column} = %s", (number,)))

    def _column(self, key: str, term: Leaf) -> str:
        if key not in self.keys:
            raise refuse(term, self._lacks(key))
        return f"{self.alias}.{key}" if self.alias else key

    def _lacks(self, key: str) -> str:
        return f"monitor {self.monitor} does not keep {key}; group by it, or open this filter on the nodes"

    def _known(self, key: str, term: Leaf, test: Sql) -> Sql:
        return Sql(f"({self._column(key, term)} IS NOT NULL AND {test.sql})", test.parameters)

    def _version(self, version: int, term: Leaf) -> Sql:
        for key in ("client_ip", "server_ip", "host", "client_net", "server_net"):
            if key in self.keys:
                column = self._column(key, term)
                return self._known(key, term, Sql(f"family({column}) = {version}"))
        raise refuse(term, self._lacks("client_ip"))

    def _network(self, side: Side, value: int, prefix: int, term: Leaf) -> Sql:
        mapped = value >> 32 == IPV4_MAPPED >> 32 and prefix >= 96
        network = IPv4Network((value & 0xFFFFFFFF, prefix - 96)) if mapped else IPv6Network((value, prefix))
        key = self._address_key(side, network, term)
        column = self._column(key, term)
        if key in ("client_net", "server_net") or network.prefixlen < network.max_prefixlen:
            return self._known(key, term, Sql(f"{column} <<= %s::inet", (str(network),)))
        return self._known(key, term, Sql(f"{column} = %s::inet", (str(network.network_address),)))

    def _address_key(self, side: Side, network: IPv4Network | IPv6Network, term: Leaf) -> str:
        """The key that can answer: the address itself, or its /24 or /64 where the asked network is no smaller."""
        if f"{side}_ip" in self.keys:
            return f"{side}_ip"
        if f"{side}_net" in self.keys and network.prefixlen <= (24 if network.version == 4 else 64):
            return f"{side}_net"
        undirected = isinstance(term, Address) and term.direction == "either"
        if "host" in self.keys and undirected:
            return "host"
        raise refuse(term, self._lacks(f"{side}_ip"))


def _second_address(expression: Expression, negated: bool) -> Leaf | None:
    """The address term that a row knowing one address cannot answer: one under `not`, or a second one under `and`."""
    match expression:
        case Not(part):
            return _second_address(part, not negated)
        case And(parts) | Or(parts):
            found = [part for part in parts if any(isinstance(leaf, Address) for leaf in leaves(part))]
            if isinstance(expression, And) and len(found) > 1:
                return next(leaf for leaf in leaves(found[1]) if isinstance(leaf, Address))
            return next((leaf for part in found if (leaf := _second_address(part, negated)) is not None), None)
        case Address() if negated or expression.direction != "either":
            return expression
        case _:
            return None


SERIES = ParquetDialect(client_ports=False)
SESSIONS = ParquetDialect(client_ports=True)


def samples(keys: Collection[str], monitor: str, alias: str = "") -> SamplesDialect:
    """The dialect of a monitor's groups: `keys` are those it groups by, `alias` is the table's name in the query."""
    return SamplesDialect(frozenset(keys), monitor, alias)
