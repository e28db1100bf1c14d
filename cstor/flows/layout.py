"""FLOW and SIDE: what is kept per flow, out of the state fields of the analyzers, and the record of an ended session.

A flow is a 5-tuple under one VNI. Its ends are a (who sent the first packet) and b; `client_side` says which of them
is the client, so that a later correction of the roles moves nothing. Each flow has two SIDE records, at 2 n and 2 n +
1.
"""

from __future__ import annotations

import numpy as np

from cstor.buckets.columns import MANY
from cstor.buckets.second import SESSION
from cstor.flows.analyzers import burst, connections, handshake, history, loss, rtt, turns, visibility, volume, window
from cstor.metrics.registry import COUNTERS, HISTOGRAMS

_KEY = [
    # the first cache line: what every packet compares or needs
    ("a_hi", "i8"),
    ("a_lo", "i8"),
    ("b_hi", "i8"),
    ("b_lo", "i8"),
    ("vni", "i4"),  # -1 none
    ("row", "i4", (2,)),  # in the two open seconds
    ("row_serial", "i4", (2,)),  # of the arena for which `row` holds
    ("a_port", "u2"),
    ("b_port", "u2"),
    ("protocol", "u1"),
    ("client_side", "i1"),  # 0: a is the client
    ("is_copy", "i1"),
    ("used", "i1"),
]
_ATTRIBUTES = [
    ("start_ns", "i8"),
    ("last_ns", "i8"),
    ("late_second", "i8"),  # the last second outside the open ones that it was counted in
    ("tag", "i4"),  # hash; in a free row: the next free one
    ("vlan", "i2"),
    ("conversation", "i4"),
    ("is_shared", "i1"),  # the 5-tuple has been seen under another VNI
    ("role_guessed", "i1"),
    ("is_dormant", "i1"),  # its session has been handed over; only the TCP state is kept
]
_ACCOUNTS = [
    ("cells", "i4"),  # heads of chains, -1 none
    ("samples", "i4"),
    ("samples_used", "u1"),
    ("timings", "i4", (MANY,)),
    ("flow_seconds", "i4"),
    ("active_seconds", "i4"),
    ("tallies", "u1", (8,)),  # counts of ledger.TALLIES, which nearly every connection has
]
_FLOW_STATES = (connections, turns, loss, handshake, history, burst)
_SIDE_STATES = (loss, visibility, volume, window, rtt)

CACHE_LINE = 64
# Fields in the order of the cache lines in which they are needed; what is not named follows. A packet costs
# a read of memory for each line that it touches, so what nearly every packet needs stands together, and apart from
# what a turn, a second or a handshake needs.
_FLOW_ORDER = (
    # the rest of the first line
    *("phase", "is_dormant", "awaiting", "role_guessed"),
    # the second: every packet
    *("start_ns", "last_ns", "irtt_ns", "request_end_ns", "response_end_ns"),
    *("burst_ms", "burst_sum", "burst_max", "letters", "conversation"),
    *("turn", "turn_valid", "irtt_known", "history_length"),
    # the third: once per turn, sample or second, and packets with a control flag
    *("turn_ns", "first_syn_ns", "syn_ack_ns", "step_ns", "tallies"),
    *("samples", "cells", "flow_seconds", "active_seconds"),
    *("samples_used", "is_shared", "outcome", "fin_sides", "syn_count", "syn_ack_count", "syn_ack_fits", "measured"),
    # the fourth: letters that are new, and what is rare
    *("timings", "late_second", "syn_gap_ns", "history", "vlan", "tag"),
)
_SIDE_ORDER = (
    # the first line: packets of both sides
    *("next", "contig", "ack", "reach", "next_ns", "seen_ns", "isn", "window"),
    *("dup", "last", "scale", "fresh", "holed", "ring_used"),
    # the second: the side's own packets
    *("packets", "data_packets", "bytes", "payload_bytes", "closed_ns", "hole"),
)


def _ordered(first: list[tuple], fields: list[tuple], order: tuple[str, ...]) -> np.dtype:
    rank = {name: number for number, name in enumerate(order)}
    sizes = {field[0]: np.dtype([field]).itemsize for field in fields}
    fields.sort(key=lambda field: (rank.get(field[0], len(rank)), sizes[field[0]] % 8 != 0, -sizes[field[0]]))
    record = np.dtype([*first, *fields], align=True)
    missing = -record.itemsize % CACHE_LINE
    return np.dtype([*first, *fields, ("unused", "u1", (missing,))], align=True) if missing else record


_FLOW = [*_ATTRIBUTES, *(field for state in _FLOW_STATES for field in state.FLOW), *_ACCOUNTS]
FLOW = _ordered(_KEY, _FLOW, _FLOW_ORDER)
SIDE = _ordered([], [field for state in _SIDE_STATES for field in state.SIDE], _SIDE_ORDER)
FLOW_BYTES, SIDE_BYTES = FLOW.itemsize, SIDE.itemsize

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
