"""FLOW and SIDE: what is kept per flow, out of the state fields of the analyzers, and the record of an ended session.

A flow is a 5-tuple under one VNI. Its ends are a (who sent the first packet) and b; `client_side` says which of them
is the client, so that a later correction of the roles moves nothing. Each flow has two SIDE records, at 2 n and 2 n +
1.
"""

from __future__ import annotations

import numpy as np

from cstor.buckets.columns import MANY, ONCE
from cstor.buckets.second import SESSION
from cstor.flows.analyzers import burst, connections, handshake, history, loss, rtt, turns, visibility, volume, window
from cstor.metrics.registry import COUNTERS, HISTOGRAMS

_KEY = [
    # the first cache line: what every packet compares or needs
    ("a_hi", "i8"),
    ("a_lo", "i8"),
    ("b_hi", "i8"),
    ("b_lo", "i8"),
    ("a_port", "i4"),
    ("b_port", "i4"),
    ("vni", "i4"),  # -1 none
    ("protocol", "u1"),
    ("client_side", "i1"),  # 0: a is the client
    ("is_copy", "i1"),
    ("used", "i1"),
    ("row", "i4", (2,)),  # in the two open seconds
    ("row_serial", "i4", (2,)),  # of the arena for which `row` holds
]
_ATTRIBUTES = [
    ("start_ns", "i8"),
    ("last_ns", "i8"),
    ("late_second", "i8"),  # the last second outside the open ones that it was counted in
    ("tag", "i4"),  # hash; in a free row: the next free one
    ("vlan", "i4"),
    ("conversation", "i4"),
    ("is_shared", "i1"),  # the 5-tuple has been seen under another VNI
    ("role_guessed", "i1"),
    ("is_dormant", "i1"),  # its session has been handed over; only the TCP state is kept
]
_ACCOUNTS = [
    ("cells", "i4"),  # heads of chains, -1 none
    ("timings", "i4", (MANY,)),
    ("flow_seconds", "i4"),
    ("active_seconds", "i4"),
    ("once", "i8", (ONCE,)),  # ns, -1 not measured
]
_FLOW_STATES = (connections, turns, loss, handshake, history, burst)
_SIDE_STATES = (loss, visibility, volume, window, rtt)

# What nearly every packet reads or writes stands in the first three cache lines of FLOW, in this order.
_WARM = ("start_ns", "last_ns", "irtt_ns", "request_end_ns", "response_end_ns", "letters", "conversation", "is_shared")
_WARM += (
    "role_guessed",
    "is_dormant",
    "phase",
    "outcome",
    "fin_sides",
    "turn",
    "turn_valid",
    "awaiting",
    "history_length",
)
_WARM += ("syn_ack_fits",)
_WARM += ("burst_ms", "burst_sum", "burst_max", "cells", "timings", "flow_seconds", "active_seconds")


def _ordered(fields: list[tuple]) -> np.dtype:
    rank = {name: number for number, name in enumerate(_WARM)}
    sizes = {field[0]: np.dtype([field]).itemsize for field in fields}
    fields.sort(key=lambda field: (rank.get(field[0], len(rank)), sizes[field[0]] % 8 != 0, -sizes[field[0]]))
    return np.dtype([*_KEY, *fields], align=True)


FLOW = _ordered([*_ATTRIBUTES, *(field for state in _FLOW_STATES for field in state.FLOW), *_ACCOUNTS])
SIDE = np.dtype([field for state in _SIDE_STATES for field in state.SIDE], align=True)

QUANTILES = 7  # count, sum, min, max, p50, p95, p99
_BEFORE = [
    (name, SESSION.fields[name][0]) if name != "history" else (name, "u1", (SESSION.fields[name][0].itemsize,))
    for name in SESSION.names[: SESSION.names.index(COUNTERS[0].key)]
]
# SESSION as kernels write it: all counters in one array, all timings in another.
RAW_SESSION = np.dtype(
    [*_BEFORE, ("counters", "i8", (len(COUNTERS),)), ("timings", "i8", (len(HISTOGRAMS), QUANTILES))], align=True
)
assert RAW_SESSION.itemsize == SESSION.itemsize
assert RAW_SESSION.fields["counters"][1] == SESSION.fields[COUNTERS[0].key][1]
