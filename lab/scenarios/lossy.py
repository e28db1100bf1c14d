"""A bad network: loss and reordering everywhere, many failed and reset connections."""

from __future__ import annotations

from lab.latency import Latency
from lab.scenario import SCENARIOS, ClientClass, Scenario

SCENARIOS.add(
    "lossy",
    Scenario(
        name="lossy",
        description="a bad network: loss and reordering everywhere, many failed and reset connections",
        clients=(
            ClientClass("near", 24, "192.0.2.0", Latency(14, 40), loss=0.02, reorder=0.004, hops=57),
            ClientClass("far", 16, "203.0.113.0", Latency(110, 220), loss=0.04, reorder=0.008, hops=46),
            ClientClass("mobile", 10, "198.18.7.0", Latency(80, 400), loss=0.06, hops=49, ns_per_byte=1600.0),
            ClientClass("ipv6", 8, "198.18.6.0", Latency(30, 80), network6="2001:db8:6::", loss=0.03, hops=55),
        ),
        visits_per_s=8.0,
        lan_loss=0.004,
        lan_reorder=0.002,
        client_aborts=0.02,
        server_resets=0.02,
        strays_per_s=4.0,
    ),
)
