"""The numbers that stand first on every page, made of the other groups' bases, with their default thresholds."""

from __future__ import annotations

from cstor.metrics.declare import alias, ratio, total
from cstor.metrics.groups import timing  # noqa: F401  (the aliases below need it declared first)
from cstor.metrics.groups.connections import FAILURES
from cstor.metrics.metric import BITS, CONNECTIONS, Threshold, Unit

GROUP = "headline"
PER_MINUTE = Unit("per_minute", "/min", "/min")

total(
    GROUP,
    "throughput",
    "Throughput",
    BITS,
    "8 x IP bytes per second, both directions.",
    {"bytes_client": 1, "bytes_server": 1},
    scale=8.0,
    headline=True,
)
alias(
    GROUP,
    "network_latency",
    "handshake_rtt",
    "Network latency",
    "Round trip between client and server, from the handshake (both sides' RTTs added per connection).",
    threshold=Threshold("p95", 0.25, 0.5),
)
alias(
    GROUP,
    "server_latency",
    "response_time",
    "Server latency",
    "Last request byte to first response byte: the server's think time.",
    threshold=Threshold("p95", 0.1, 0.3),
)
alias(
    GROUP,
    "client_latency",
    "ack_rtt_client",
    "Client latency",
    "Round trip between the capture point and the client, from data and its ACK.",
)
ratio(
    GROUP,
    "retransmission_percent",
    "Retransmissions",
    "Retransmissions per data packet.",
    {"retransmissions_client": 1, "retransmissions_server": 1},
    {"data_packets_client": 1, "data_packets_server": 1},
    headline=True,
    threshold=Threshold("percent", 1.0, 5.0),
)
ratio(
    GROUP,
    "failure_percent",
    "Failed connections",
    "Failures / (established + failures), by the time of the verdict.",
    dict.fromkeys(FAILURES, 1),
    {"established": 1} | dict.fromkeys(FAILURES, 1),
    headline=True,
    threshold=Threshold("percent", 1.0, 5.0),
)
total(
    GROUP,
    "new_connections",
    "New connections",
    CONNECTIONS,
    "Connections established per second.",
    {"established": 1},
    headline=True,
)
total(
    GROUP,
    "zero_window_rate",
    "Zero windows",
    PER_MINUTE,
    "Zero windows per minute, both sides.",
    {"zero_windows_client": 1, "zero_windows_server": 1},
    scale=60.0,
    headline=True,
    stats=("rate",),
    threshold=Threshold("rate", 2.0, 25.0),
)
