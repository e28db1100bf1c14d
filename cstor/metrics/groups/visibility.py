"""Is it the network, or is it the capture? What was acknowledged but never seen stands beside every error count."""

from __future__ import annotations

from cstor.metrics.declare import counter, counter_pair, ratio
from cstor.metrics.metric import BYTES, CONNECTIONS, PACKETS

GROUP = "visibility"

counter_pair(
    GROUP,
    "unseen_bytes",
    "Unseen bytes",
    BYTES,
    "Bytes of this side that the peer acknowledged but the capture never saw.",
)
counter_pair(GROUP, "truncated", "Truncated packets", PACKETS, "Packets of which less was captured than sent.")
counter(GROUP, "one_sided", "One-sided connections", CONNECTIONS, "Connections of which one direction was never seen.")


def _visibility(*sides: str) -> tuple[dict[str, int], dict[str, int]]:
    seen = {f"payload_bytes_{side}": 1 for side in sides} | {f"retransmitted_bytes_{side}": -1 for side in sides}
    return seen, seen | {f"unseen_bytes_{side}": 1 for side in sides}


for name, label, sides in (
    ("visibility", "Visibility", ("client", "server")),
    ("visibility_client", "Visibility, client", ("client",)),
    ("visibility_server", "Visibility, server", ("server",)),
):
    ratio(
        GROUP,
        name,
        label,
        "Share of the payload that was captured: 1 - unseen / (payload - retransmitted + unseen).",
        *_visibility(*sides),
        headline=name == "visibility",
    )
