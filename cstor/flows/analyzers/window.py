"""Receive windows: how long a side kept its window closed, and the smallest window it advertised (RFC 7323 scaling)."""

from __future__ import annotations

from cstor.buckets.columns import COLUMN_MIN_WINDOW, ZERO_WINDOW_TIME
from cstor.flows.analyzers.loss import NO_SCALE
from cstor.flows.ledger import count
from cstor.flows.seq import UNKNOWN
from wire.packets.jit import inline
from wire.packets.layout import FIN, RST, SYN

SIDE = [
    ("closed_ns", "i8"),  # since when the window is 0; UNKNOWN: open
    ("min_window", "i4"),  # bytes, UNKNOWN
]


@inline
def watch_window(out, flow, own, packet, row, role):
    """Windows of SYNs are not scaled, those of RSTs mean nothing: both are left out."""
    control = packet["flags"] & (SYN | RST)
    if control == 0 and own["scale"] != UNKNOWN:
        window = packet["window"] << (0 if own["scale"] == NO_SCALE else own["scale"])
        lowest = row[COLUMN_MIN_WINDOW + role]
        if lowest == 0 or window < lowest - 1:
            row[COLUMN_MIN_WINDOW + role] = window + 1
        if own["min_window"] == UNKNOWN or window < own["min_window"]:
            own["min_window"] = window
    if packet["window"] == 0:
        if own["closed_ns"] == UNKNOWN and packet["flags"] & (SYN | RST | FIN) == 0:
            own["closed_ns"] = packet["time_ns"]
    elif own["closed_ns"] != UNKNOWN and control == 0:
        open_window(out, flow, own, packet["time_ns"], role)


@inline
def open_window(out, flow, own, now, role):
    """The window opened again, or the connection ended."""
    count(out, flow, ZERO_WINDOW_TIME + role, max(now - own["closed_ns"], 0))
    own["closed_ns"] = UNKNOWN
