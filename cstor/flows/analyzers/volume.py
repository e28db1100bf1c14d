"""Volume: packets, bytes, payload, data packets, the largest packet, truncation, fragments. Dense: every packet adds
here."""

from __future__ import annotations

from cstor.buckets.columns import (
    COLUMN_BYTES,
    COLUMN_DATA,
    COLUMN_MAX_PACKET,
    COLUMN_PACKETS,
    COLUMN_PAYLOAD,
    COLUMN_TRUNCATED,
    FRAGMENTS,
)
from cstor.flows.ledger import count
from wire.packets.jit import inline

SIDE = [
    ("packets", "u4"),
    ("data_packets", "u4"),
    ("bytes", "i8"),  # IP length
    ("payload_bytes", "i8"),
    ("max_packet", "i4"),  # bytes
    ("truncated", "i4"),  # packets of which less was captured than sent
]


@inline
def add_volume(row, own, packet, role):
    """Add a packet to its conversation's row and to its side of the flow. Returns nothing of interest."""
    length = packet["ip_length"]
    row[COLUMN_PACKETS + role] += 1
    row[COLUMN_BYTES + role] += length
    own["packets"] += 1
    own["bytes"] += length
    if length > row[COLUMN_MAX_PACKET + role]:
        row[COLUMN_MAX_PACKET + role] = length
        if length > own["max_packet"]:
            own["max_packet"] = length
    payload = packet["payload_length"] if packet["complete"] == 1 else 0
    if payload > 0:
        row[COLUMN_PAYLOAD + role] += payload
        row[COLUMN_DATA + role] += 1
        own["payload_bytes"] += payload
        own["data_packets"] += 1
    if packet["captured"] < packet["wire_length"]:
        row[COLUMN_TRUNCATED + role] += 1
        own["truncated"] += 1


@inline
def add_fragment(out, flow, packet, role):
    """Count a fragment of a datagram."""
    if packet["fragment"] != 0:
        count(out, flow, FRAGMENTS + role, 1)
