"""Keep-alive connections of one host to the servers of a tier, as connection pools and HTTP clients hold them."""

from __future__ import annotations

from collections.abc import Callable

from lab.datacentre import DataCentre
from lab.events import SECOND
from lab.hosts import Host
from lab.latency import Latency
from lab.tcp.connection import Connection, Then
from lab.tcp.segment import CLIENT, SERVER

Greet = Callable[[Connection, Then, Then], None]

IDLE_MOST_NS = 15 * SECOND
SWEEP_NS = 5 * SECOND
SEND_AFTER = Latency(0.06, 0.2)


class Pool:
    """Idle connections are taken again, the latest first; each is closed after its number of uses or when idle."""

    def __init__(
        self, centre: DataCentre, client: Host, servers: list[Host], port: int, uses: float, greet: Greet | None = None
    ) -> None:
        self._centre = centre
        self._events = centre.events
        self._client = client
        self._servers = servers
        self._port = port
        self._uses = uses
        self._greet = greet
        self._idle: list[Connection] = []
        self._events.after(SWEEP_NS, self._sweep)

    def take(self, use: Callable[[Connection], None], failed: Then) -> None:
        """Call `use` with a connection that stands, an idle one if there is one; `failed` if none can be had."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                use(connection)
                return
        rng = self._events.random
        connection = self._centre.connect(self._client, rng.choice(self._servers), self._port)
        connection.limit = 1 + int(rng.expovariate(1 / self._uses))

        def ready() -> None:
            use(connection)

        def opened() -> None:
            delay = SEND_AFTER.draw_ns(rng)
            if self._greet is None:
                self._events.after(delay, ready)
            else:
                self._events.after(delay, self._greet, connection, ready, failed)

        connection.open(opened, failed)

    def give_back(self, connection: Connection) -> None:
        """The exchange is over: keep the connection, or close it if it has done its share."""
        connection.uses += 1
        if connection.uses >= connection.limit:
            connection.close(CLIENT)
        elif connection.is_usable:
            connection.idle_since_ns = self._events.now_ns
            self._idle.append(connection)

    def _sweep(self) -> None:
        """Servers close what has been idle for long."""
        oldest = self._events.now_ns - IDLE_MOST_NS
        for connection in self._idle:
            if connection.idle_since_ns < oldest:
                connection.close(SERVER)
        self._idle = [connection for connection in self._idle if connection.is_usable]
        self._events.after(SWEEP_NS, self._sweep)
