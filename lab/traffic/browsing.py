"""People with browsers: TLS to a web server, a few pages with pauses in between, and the web tier that serves them."""

from __future__ import annotations

from lab.datacentre import APPLICATION_PORT, WEB_PORT, DataCentre
from lab.events import MILLISECOND, SECOND
from lab.hosts import Host
from lab.latency import Latency, Size
from lab.payloads import client_finished, client_hello, http_request, server_flight, tls_records
from lab.tcp.connection import Connection, Reply
from lab.tcp.segment import CLIENT, SERVER
from lab.traffic.application import Application
from lab.traffic.pools import Pool

SEND_AFTER = Latency(0.15, 0.8)
HELLO_THINK = Latency(1.1, 3.0)
WEB_THINK = Latency(0.4, 1.2)
REQUEST = Size(620, 1_500, most=6_000)
STATIC, PAGE = Size(7_000, 45_000), Size(4_500, 22_000)
STATIC_SHARE = 0.35
PAGES_MEAN = 4.0
PAUSE_MEAN_S = 1.4
USES_OF_APPLICATION = 8
BAD_GATEWAY_BYTES = 180


class WebServer:
    """One web server: answers static files itself and asks the application tier for the rest."""

    def __init__(self, centre: DataCentre, host: Host, applications: dict[str, Application]) -> None:
        self._events = centre.events
        self._scenario = centre.scenario
        self._applications = applications
        self._pool = Pool(centre, host, centre.application, APPLICATION_PORT, USES_OF_APPLICATION)

    def serve(self, reply: Reply) -> None:
        rng = self._events.random
        if rng.random() < STATIC_SHARE:
            payload = tls_records(STATIC.draw(rng), rng)
            self._events.after(self._scenario.static_think.draw_ns(rng), reply, payload)
        else:
            self._events.after(WEB_THINK.draw_ns(rng) // 2, self._ask, reply)

    def _ask(self, reply: Reply) -> None:
        rng = self._events.random

        def use(connection: Connection) -> None:
            application = self._applications[connection.server.name]
            path = f"/api/v2/items/{rng.randrange(1_000_000)}"
            connection.exchange(
                http_request(path, "app.shop.internal"), application.serve, lambda: done(connection), failed
            )

        def done(connection: Connection) -> None:
            self._pool.give_back(connection)
            self._events.after(WEB_THINK.draw_ns(rng) // 2, reply, tls_records(PAGE.draw(rng), rng))

        def failed() -> None:
            reply(tls_records(BAD_GATEWAY_BYTES, rng))

        self._pool.take(use, failed)


class Visit:
    """One browser's connection from its first SYN to its last FIN or reset."""

    def __init__(self, centre: DataCentre, client: Host, host: Host, server: WebServer) -> None:
        self._centre = centre
        self._events = centre.events
        self._server = server
        self._pages_left = 1 + int(self._events.random.expovariate(1 / PAGES_MEAN))
        self._connection = centre.connect(client, host, WEB_PORT)
        self._connection.open(self._opened)

    def _opened(self) -> None:
        rng = self._events.random
        self._events.after(SEND_AFTER.draw_ns(rng), self._greet)

    def _greet(self) -> None:
        rng, connection = self._events.random, self._connection
        connection.exchange(
            client_hello(rng),
            lambda reply: self._events.after(HELLO_THINK.draw_ns(rng), reply, server_flight(rng)),
            lambda: self._events.after(SEND_AFTER.draw_ns(rng), self._ask_page, client_finished(rng)),
            self._gone,
        )

    def _ask_page(self, before: bytes = b"") -> None:
        rng, scenario = self._events.random, self._centre.scenario
        self._pages_left -= 1
        request = before + tls_records(REQUEST.draw(rng), rng)
        if scenario.client_aborts and rng.random() < scenario.client_aborts:
            self._events.after(int(rng.expovariate(1 / (80 * MILLISECOND))), self._connection.reset, CLIENT)
        self._connection.exchange(request, self._serve, self._done, self._gone)

    def _serve(self, reply: Reply) -> None:
        scenario = self._centre.scenario
        if scenario.server_resets and self._events.random.random() < scenario.server_resets:
            self._events.after(20 * MILLISECOND, self._connection.reset, SERVER)
        else:
            self._server.serve(reply)

    def _done(self) -> None:
        rng = self._events.random
        pause_ns = int((0.15 + rng.expovariate(1 / PAUSE_MEAN_S)) * SECOND)
        if self._pages_left > 0:
            self._events.after(pause_ns, self._ask_page)
        else:
            self._events.after(pause_ns, self._connection.close, CLIENT if rng.random() < 0.7 else SERVER)

    def _gone(self) -> None:
        """The connection ended before the answer: the browser gives up."""


class Browsing:
    """Visits arrive at random, at `visits_per_s` on average."""

    def __init__(self, centre: DataCentre, visits_per_s: float) -> None:
        self._centre = centre
        self._events = centre.events
        self._visits_per_s = visits_per_s
        applications = {host.name: Application(centre, host) for host in centre.application}
        self._servers = {host.name: WebServer(centre, host, applications) for host in centre.web}
        self._next()

    def _next(self) -> None:
        rng = self._events.random
        self._events.after(int(rng.expovariate(self._visits_per_s) * SECOND), self._arrive)

    def _arrive(self) -> None:
        rng = self._events.random
        host = rng.choice(self._centre.web)
        Visit(self._centre, rng.choice(self._centre.clients), host, self._servers[host.name])
        self._next()
