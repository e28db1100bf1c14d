"""An ordinary day: clients near and far, a little loss, a few refused, unanswered and reset connections."""

from __future__ import annotations

from lab.latency import Latency
from lab.scenario import SCENARIOS, ClientClass, Scenario

CLIENTS = (
    ClientClass("metro", 18, "192.0.2.0", Latency(9, 18), loss=0.001, hops=57),
    ClientClass("country", 16, "198.51.100.0", Latency(28, 55), loss=0.002, hops=54, has_timestamps=False),
    ClientClass("overseas", 12, "203.0.113.0", Latency(105, 180), loss=0.006, hops=46),
    ClientClass("mobile", 10, "198.18.7.0", Latency(65, 240), loss=0.010, hops=49, ns_per_byte=800.0),
    ClientClass("ipv6", 8, "198.18.6.0", Latency(22, 60), network6="2001:db8:6::", loss=0.001, hops=55),
)

SCENARIOS.add(
    "default",
    Scenario(
        name="default",
        description="an ordinary day: near and far clients, a little loss, a few failed connections",
        clients=CLIENTS,
        lan_loss=0.0002,
        client_aborts=0.004,
        server_resets=0.002,
        strays_per_s=0.5,
    ),
)
