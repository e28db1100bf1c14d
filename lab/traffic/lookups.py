"""DNS lookups of the application tier at the resolver: UDP, now and then without an answer and asked again."""

from __future__ import annotations

from lab.datacentre import DNS_PORT, DataCentre
from lab.events import SECOND, Events
from lab.frames import Packets
from lab.hosts import Host
from lab.latency import Latency
from lab.mirror import InterfaceTap
from lab.paths import Path, Tap
from lab.payloads import dns_answer, dns_query
from lab.tcp.connection import Then
from lab.tcp.segment import CLIENT, SERVER

THINK = Latency(0.25, 1.2)
RETRY_NS = 2 * SECOND
TRIES = 3
LOST = 0.003
NAMES = ("db.shop.internal", "cache.shop.internal", "payments.example.net", "mail.example.org")


class Datagram:
    """A UDP packet on its way."""

    __slots__ = ("packet",)

    def __init__(self, packet: bytes) -> None:
        self.packet = packet


class Resolver:
    """The server's end of one lookup."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def receive(self, _parcel: Datagram) -> None:
        self._lookup.think()


class Lookup:
    """One question of `client`; `then` is called with the answer, or when there will be none."""

    def __init__(self, centre: DataCentre, client: Host, then: Then) -> None:
        self._events: Events = centre.events
        rng = self._events.random
        self._then: Then | None = then
        self._tries = 0
        self._name = rng.choice(NAMES)
        self._identification = rng.getrandbits(16)
        self._ports = (client.take_port(), DNS_PORT)
        server = centre.resolver
        self._ask = Packets(client.address4, server.address4, client.hops, rng.getrandbits(16), 0)
        self._answer = Packets(server.address4, client.address4, server.hops, rng.getrandbits(16), 0)
        taps: list[Tap | None] = [None, None]
        if client.interface is not None:
            taps[CLIENT] = InterfaceTap(self._events, centre.sink, client.interface, None)
        self._path = Path(self._events, centre.route(client, server), (self, Resolver(self)), taps)
        self._try()

    def _try(self) -> None:
        if self._then is None:
            return
        if self._tries == TRIES:
            self._tell()
            return
        self._tries += 1
        query = dns_query(self._identification, self._name)
        self._path.send(CLIENT, Datagram(self._ask.udp(self._ports, query)))
        self._events.after(RETRY_NS, self._try)

    def think(self) -> None:
        """The resolver has the question."""
        rng = self._events.random
        if rng.random() >= LOST:
            self._events.after(THINK.draw_ns(rng), self._reply)

    def _reply(self) -> None:
        answer = dns_answer(self._identification, self._name, b"\x0a\x14\x03\x1f")
        self._path.send(SERVER, Datagram(self._answer.udp(self._ports[::-1], answer)))

    def receive(self, _parcel: Datagram) -> None:
        """The client has the answer."""
        self._tell()

    def _tell(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()
