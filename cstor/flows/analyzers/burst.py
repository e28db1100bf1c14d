"""Microbursts: the most bytes of a conversation (and of a flow) in any one millisecond of the clock."""

from __future__ import annotations

from cstor.buckets.columns import COLUMN_BURST, COLUMN_BURST_MS, COLUMN_BURST_SUM
from wire.packets.jit import inline

FLOW = [
    ("burst_ms", "i4"),  # the millisecond that is being summed, less its upper bits
    ("burst_sum", "i4"),
    ("burst_max", "i4"),
]


@inline
def add_burst(row, flow, packet):
    """Add a packet to the millisecond it arrived in."""
    millisecond = (packet["time_ns"] // 1_000_000) & 0x7FFFFFFF
    length = packet["ip_length"]
    so_far = length + (row[COLUMN_BURST_SUM] if row[COLUMN_BURST_MS] == millisecond else 0)
    row[COLUMN_BURST_MS] = millisecond
    row[COLUMN_BURST_SUM] = so_far
    if so_far > row[COLUMN_BURST]:
        row[COLUMN_BURST] = so_far
    so_far = length + (flow["burst_sum"] if flow["burst_ms"] == millisecond else 0)
    flow["burst_ms"] = millisecond
    flow["burst_sum"] = so_far
    if so_far > flow["burst_max"]:
        flow["burst_max"] = so_far
