"""Nothing goes wrong: no loss, no failed connections. For tests that want to see zeros."""

from __future__ import annotations

from lab.latency import Latency
from lab.scenario import SCENARIOS, ClientClass, Scenario

SCENARIOS.add(
    "clean",
    Scenario(
        name="clean",
        description="nothing goes wrong: no loss, no reordering, no failed connections",
        clients=(
            ClientClass("near", 30, "192.0.2.0", Latency(12, 30), hops=57),
            ClientClass("far", 20, "203.0.113.0", Latency(90, 150), hops=46),
            ClientClass("ipv6", 8, "198.18.6.0", Latency(22, 60), network6="2001:db8:6::", hops=55),
        ),
    ),
)
