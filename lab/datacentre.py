"""The make-believe data centre: its hosts and their mirrored interfaces, the routes between them, its connections.

Web clients of the Internet (documentation and benchmark ranges, RFC 5737, 2544, 3849) reach the web tier, that asks
the application tier, which asks cache and database. Interfaces of the web and of the application tier are mirrored;
what goes between the two is therefore seen twice, under two VNIs.
"""

from __future__ import annotations

from ipaddress import ip_address

from lab.events import Events
from lab.frames import address_text
from lab.hosts import Host, make_host
from lab.mirror import InterfaceTap, Sink
from lab.paths import Route
from lab.scenario import ClientClass, Scenario
from lab.tcp.connection import Connection
from lab.tcp.segment import CLIENT, SERVER
from lab.truth import FlowTruth, Row, Truth

WEB_PORT, APPLICATION_PORT, DATABASE_PORT, CACHE_PORT, DNS_PORT = 443, 8080, 5432, 6379, 53
TIERS = {WEB_PORT: "web", APPLICATION_PORT: "application", DATABASE_PORT: "database", CACHE_PORT: "cache"}
WEB_VNI, APPLICATION_VNI = 1001, 2001


class DataCentre:
    """Hosts by role, and `connect` between any two of them."""

    def __init__(self, scenario: Scenario, events: Events, truth: Truth, sink: Sink) -> None:
        self.scenario = scenario
        self.events = events
        self.truth = truth
        self.sink = sink
        self.router = self._host("router", "10.20.0.1")
        self.resolver = self._host("resolver", "10.20.0.2")
        self.web = self._tier("web", "10.20.1.11", scenario.web_servers, WEB_VNI, "2001:db8:20:1::11")
        self.application = self._tier("app", "10.20.2.21", scenario.application_servers, APPLICATION_VNI)
        self.databases = self._tier("db", "10.20.3.31", scenario.database_servers)
        self.caches = self._tier("cache", "10.20.4.41", scenario.cache_servers)
        self.gone = self._host("gone", "10.20.9.9")
        self.clients: list[Host] = []
        for kind in scenario.clients:
            self._add_clients(kind)
        self._lan_routes: dict[tuple[str, str], Route] = {}

    @property
    def hosts(self) -> list[Host]:
        inside = [self.router, self.resolver, *self.web, *self.application, *self.databases, *self.caches]
        return inside + self.clients

    def _host(self, name: str, address: str, address6: str | None = None, vni: int | None = None) -> Host:
        return make_host(name, address, self.events.random, address6, vni)

    def _tier(self, name: str, first: str, count: int, vni: int | None = None, first6: str | None = None) -> list[Host]:
        return [
            self._host(
                f"{name}-{number + 1}",
                str(ip_address(first) + number),
                str(ip_address(first6) + number) if first6 else None,
                vni + number if vni is not None else None,
            )
            for number in range(count)
        ]

    def _add_clients(self, kind: ClientClass) -> None:
        rng = self.events.random
        for number in range(kind.hosts):
            address6 = str(ip_address(kind.network6) + 0x10 + 257 * number) if kind.network6 else None
            host = self._host(f"{kind.name}-{number + 1}", str(ip_address(kind.network4) + 10 + 3 * number), address6)
            host.hops = kind.hops
            host.has_timestamps = kind.has_timestamps
            host.route = Route(
                kind.round_trip.draw_ns(rng), loss=kind.loss, reorder=kind.reorder, ns_per_byte=kind.ns_per_byte
            )
            self.clients.append(host)

    def route(self, client: Host, server: Host) -> Route:
        """The route between two hosts: a client's own, or one drawn once for each pair inside."""
        if isinstance(client.route, Route):
            return client.route
        pair = (client.name, server.name)
        route = self._lan_routes.get(pair)
        if route is None:
            scenario = self.scenario
            round_trip_ns = scenario.lan_round_trip.draw_ns(self.events.random)
            route = Route(round_trip_ns, loss=scenario.lan_loss, reorder=scenario.lan_reorder)
            self._lan_routes[pair] = route
        return route

    def connect(self, client: Host, server: Host, port: int) -> Connection:
        """A connection, not yet opened, mirrored at both ends where these have a mirrored interface."""
        version = 6 if client.address6 and server.address6 else 4
        connection = Connection(self.events, client, server, port, self.route(client, server), version)
        is_copy = False
        for side, host in ((CLIENT, client), (SERVER, server)):
            if host.interface is None:
                continue
            tier = TIERS.get(port, "other")
            address = address_text(server.address6 if version == 6 and server.address6 else server.address4)
            flow = FlowTruth(self.truth, Row(tier, address, port, host.interface.vni, is_copy))
            connection.tap(side, InterfaceTap(self.events, self.sink, host.interface, flow))
            is_copy = True
        return connection
