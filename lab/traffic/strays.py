"""Connections that come to nothing: refused, dropped by a firewall, unreachable, scanned, abandoned half-way."""

from __future__ import annotations

from lab.datacentre import WEB_PORT, DataCentre
from lab.events import SECOND
from lab.tcp.connection import nothing
from lab.tcp.segment import CLIENT, SERVER

SEARCH_PORT, OLD_CACHE_PORT, OLD_WEB_PORT = 9200, 11211, 8443


class Strays:
    """At `strays_per_s` on average, one kind after the other by chance."""

    def __init__(self, centre: DataCentre, strays_per_s: float) -> None:
        self._centre = centre
        self._events = centre.events
        self._strays_per_s = strays_per_s
        refused = (self._refused_inside, self._refused_outside)
        self._kinds = (*refused, self._unanswered, self._unreachable, self._scan, self._half_open)
        self._next()

    def _next(self) -> None:
        rng = self._events.random
        self._events.after(int(rng.expovariate(self._strays_per_s) * SECOND), self._arrive)

    def _arrive(self) -> None:
        self._events.random.choice(self._kinds)()
        self._next()

    def _refused_inside(self) -> None:
        """An application server still asks for a cache that was moved."""
        rng, centre = self._events.random, self._centre
        connection = centre.connect(rng.choice(centre.application), rng.choice(centre.caches), OLD_CACHE_PORT)
        connection.refuse()
        connection.open(nothing)

    def _refused_outside(self) -> None:
        rng, centre = self._events.random, self._centre
        connection = centre.connect(rng.choice(centre.clients), rng.choice(centre.web), OLD_WEB_PORT)
        connection.refuse()
        connection.open(nothing)

    def _unanswered(self) -> None:
        """A firewall drops what is sent to the old search cluster."""
        rng, centre = self._events.random, self._centre
        connection = centre.connect(rng.choice(centre.application), centre.gone, SEARCH_PORT)
        connection.ignore(SERVER)
        connection.open(nothing)

    def _unreachable(self) -> None:
        """The old search cluster's host is gone, and the router says so."""
        rng, centre = self._events.random, self._centre
        connection = centre.connect(rng.choice(centre.application), centre.gone, SEARCH_PORT)
        connection.lose_server(centre.router)
        connection.open(nothing)

    def _scan(self) -> None:
        """Somebody tries the web servers' ports without meaning to connect."""
        rng, centre = self._events.random, self._centre
        centre.connect(rng.choice(centre.clients), rng.choice(centre.web), WEB_PORT).scan()

    def _half_open(self) -> None:
        """A client goes away between its SYN and the answer."""
        rng, centre = self._events.random, self._centre
        connection = centre.connect(rng.choice(centre.clients), rng.choice(centre.web), WEB_PORT)
        connection.open(nothing)
        connection.ignore(CLIENT)
