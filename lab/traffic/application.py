"""The application tier at work: cache first, then the database, and now and then a name to look up."""

from __future__ import annotations

from lab.datacentre import CACHE_PORT, DATABASE_PORT, DataCentre
from lab.hosts import Host
from lab.latency import Latency, Size
from lab.payloads import (
    cache_get,
    cache_value,
    http_response,
    postgres_query,
    postgres_ready,
    postgres_rows,
    postgres_startup,
)
from lab.tcp.connection import Connection, Reply, Then
from lab.traffic.lookups import Lookup
from lab.traffic.pools import Pool

LOOKUPS = 0.06
ANSWER = Size(2_400, 10_000)
VALUE = Size(600, 3_000)
ROWS = Size(700, 9_000)
GREETING = Latency(2.5, 6.0)
USES_OF_DATABASE, USES_OF_CACHE = 12, 25


class Application:
    """One application server: its pools, and what it does for a request."""

    def __init__(self, centre: DataCentre, host: Host) -> None:
        self._centre = centre
        self._events = centre.events
        self._host = host
        self._databases = Pool(centre, host, centre.databases, DATABASE_PORT, USES_OF_DATABASE, self._greet)
        self._caches = Pool(centre, host, centre.caches, CACHE_PORT, USES_OF_CACHE)

    def serve(self, reply: Reply) -> None:
        """Work on one request and reply."""
        if self._events.random.random() < LOOKUPS:
            Lookup(self._centre, self._host, lambda: self._ask_cache(reply))
        else:
            self._ask_cache(reply)

    def _greet(self, connection: Connection, ready: Then, failed: Then) -> None:
        """PostgreSQL's start-up exchange, before the first query."""
        rng = self._events.random
        connection.exchange(
            postgres_startup(),
            lambda reply: self._events.after(GREETING.draw_ns(rng), reply, postgres_ready()),
            ready,
            failed,
        )

    def _ask_cache(self, reply: Reply) -> None:
        rng, scenario = self._events.random, self._centre.scenario
        is_hit = rng.random() < scenario.cache_hits
        queries = 0 if is_hit else rng.randint(1, 3)
        value = cache_value(VALUE.draw(rng) if is_hit else 0)

        def use(connection: Connection) -> None:
            connection.exchange(
                cache_get(f"page:{rng.randrange(100_000)}"),
                lambda answer: self._events.after(scenario.cache_think.draw_ns(rng), answer, value),
                lambda: done(connection),
                lambda: self._query(max(queries, 1), reply),
            )

        def done(connection: Connection) -> None:
            self._caches.give_back(connection)
            self._query(queries, reply)

        self._caches.take(use, lambda: self._query(max(queries, 1), reply))

    def _query(self, left: int, reply: Reply) -> None:
        """Ask the database `left` times, one after the other, then compute the answer."""
        rng, scenario = self._events.random, self._centre.scenario
        if left == 0:
            self._events.after(scenario.application_think.draw_ns(rng), reply, http_response(ANSWER.draw(rng)))
            return

        def use(connection: Connection) -> None:
            connection.exchange(
                postgres_query(f"SELECT payload FROM items WHERE id = {rng.randrange(1_000_000)}"),
                lambda answer: self._events.after(
                    scenario.database_think.draw_ns(rng), answer, postgres_rows(ROWS.draw(rng))
                ),
                lambda: done(connection),
                failed,
            )

        def done(connection: Connection) -> None:
            self._databases.give_back(connection)
            self._query(left - 1, reply)

        def failed() -> None:
            reply(http_response(60, "503 Service Unavailable"))

        self._databases.take(use, failed)
