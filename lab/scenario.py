"""What a scenario is: the numbers that make one day in the data centre differ from another. One file each."""

from __future__ import annotations

from dataclasses import dataclass

from lab.latency import Latency
from wire.registry import Registry, autodiscover

LAN_ROUND_TRIP = Latency(0.45, 1.1)
APPLICATION_THINK = Latency(3.0, 14.0)
DATABASE_THINK = Latency(1.4, 9.0)
CACHE_THINK = Latency(0.15, 0.4)
STATIC_THINK = Latency(0.7, 2.5)


@dataclass(frozen=True)
class ClientClass:
    """Web clients that are alike: how many, where from, how far away and how good their network is."""

    name: str
    hosts: int
    network4: str
    round_trip: Latency
    network6: str | None = None
    loss: float = 0.0
    reorder: float = 0.0
    hops: int = 52
    has_timestamps: bool = True
    ns_per_byte: float = 160.0


@dataclass(frozen=True)
class Scenario:
    """A day in the data centre. Rates are per second at rate 1, shares from 0 to 1."""

    name: str
    description: str
    clients: tuple[ClientClass, ...]
    visits_per_s: float = 15.0
    web_servers: int = 6
    application_servers: int = 8
    database_servers: int = 3
    cache_servers: int = 2
    lan_round_trip: Latency = LAN_ROUND_TRIP
    lan_loss: float = 0.0
    lan_reorder: float = 0.0
    application_think: Latency = APPLICATION_THINK
    database_think: Latency = DATABASE_THINK
    cache_think: Latency = CACHE_THINK
    static_think: Latency = STATIC_THINK
    cache_hits: float = 0.75
    client_aborts: float = 0.0
    server_resets: float = 0.0
    strays_per_s: float = 0.0


SCENARIOS: Registry[Scenario] = Registry("scenario")


def discover() -> Registry[Scenario]:
    """All scenarios, by name."""
    if not len(SCENARIOS):
        autodiscover("lab.scenarios")
        SCENARIOS.freeze()
    return SCENARIOS
