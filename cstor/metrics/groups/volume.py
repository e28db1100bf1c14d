"""How much was sent, by whom. Bytes are IP lengths by their length field, never the captured length."""

from __future__ import annotations

from cstor.metrics.declare import SIDES, counter, counter_pair, extreme
from cstor.metrics.metric import BYTES, CONNECTIONS, FLOWS, PACKETS

GROUP = "volume"

counter_pair(GROUP, "packets", "Packets", PACKETS, "IP packets; every fragment counts.")
counter_pair(
    GROUP, "bytes", "Bytes", BYTES, "IP bytes, headers included, by the length field of the innermost IP packet."
)
counter_pair(GROUP, "payload_bytes", "Payload bytes", BYTES, "Layer 4 payload, retransmissions included.")
counter_pair(GROUP, "data_packets", "Data packets", PACKETS, "Packets with payload.")
counter_pair(GROUP, "fragments", "IP fragments", PACKETS, "IP packets that are part of a fragmented datagram.")
for side in SIDES:
    extreme(
        GROUP,
        f"max_packet_bytes_{side}",
        f"Largest packet, {side}",
        BYTES,
        "Length of the largest IP packet.",
        "max",
        side=side,
    )
counter(GROUP, "flow_seconds", "Flow seconds", FLOWS, "5-tuples seen in each second, summed over seconds.")
counter(
    GROUP,
    "active_seconds",
    "Connection seconds",
    CONNECTIONS,
    "Connections open at the end of each second, summed over seconds: divided by seconds it is concurrency.",
)
extreme(
    GROUP, "burst_bytes", "Largest 1 ms burst", BYTES, "Most bytes of this conversation in any one millisecond.", "max"
)
