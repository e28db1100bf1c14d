"""An ended connection, or an idle flow, as one record: every counter, every timing with its percentiles, the
history."""

from __future__ import annotations

import numpy as np

from cstor.buckets.columns import (
    ACTIVE_SECONDS,
    BURST_BYTES,
    BYTES,
    COUNTER_OF_FACT,
    DATA_PACKETS,
    FLOW_SECONDS,
    HISTOGRAM_OF_TIMING,
    MANY,
    MAX_PACKET_BYTES,
    MIN_WINDOW_BYTES,
    ONCE,
    PACKETS,
    PAYLOAD_BYTES,
    SESSION_DURATION,
    TRUNCATED,
)
from cstor.flows.analyzers.history import LETTERS
from cstor.flows.ledger import sorted_bins
from cstor.flows.registers import SESSIONS, SESSIONS_CLOSED
from cstor.metrics.histogram import GROWTH
from wire.packets.jit import kernel

_CARET = ord("^")
_UPPER = np.frombuffer(LETTERS, np.uint8).astype(np.int64)
_LOWER = np.frombuffer(LETTERS.lower(), np.uint8).astype(np.int64)
_RANKS = (0.5, 0.95, 0.99)


@kernel
def export(state, number):
    """Write the flow's session; the caller of the kernel made sure that there is room."""
    registers = state.out.registers
    flow = state.flows[number]
    session = state.sessions[registers[SESSIONS]]
    registers[SESSIONS] += 1
    registers[SESSIONS_CLOSED] += 1
    client = flow["client_side"]
    write_key(session, flow, client)
    write_history(session, flow, client)
    session["counters"][:] = 0
    session["timings"][:] = -1
    write_counters(state.out.cells, session["counters"], flow)
    for role in range(2):
        write_volume(session["counters"], state.sides[2 * number + (role ^ client)], role)
    for timing in range(ONCE):
        write_single(session["timings"][HISTOGRAM_OF_TIMING[timing]], flow["once"][timing])
    write_single(session["timings"][HISTOGRAM_OF_TIMING[SESSION_DURATION]], flow["last_ns"] - flow["start_ns"])
    for timing in range(MANY):
        write_many(
            state.out,
            session["timings"][HISTOGRAM_OF_TIMING[ONCE + timing]],
            flow["timings"][timing],
        )


@kernel
def write_key(session, flow, client):
    """Who talked with whom, when, and how it ended."""
    session["client_hi"] = flow["b_hi"] if client else flow["a_hi"]
    session["client_lo"] = flow["b_lo"] if client else flow["a_lo"]
    session["server_hi"] = flow["a_hi"] if client else flow["b_hi"]
    session["server_lo"] = flow["a_lo"] if client else flow["b_lo"]
    session["server_port"] = flow["a_port"] if client else flow["b_port"]
    session["client_port"] = flow["b_port"] if client else flow["a_port"]
    session["vni"] = flow["vni"]
    session["protocol"] = flow["protocol"]
    session["vlan"] = flow["vlan"]
    session["is_copy"] = flow["is_copy"]
    session["role_guessed"] = flow["role_guessed"]
    session["outcome"] = flow["outcome"]
    session["start_ns"] = flow["start_ns"]
    session["end_ns"] = flow["last_ns"]


@kernel
def write_history(session, flow, client):
    """Letters, upper case for the client."""
    text = session["history"]
    at = 0
    text[:] = 0
    if client == 1 and flow["history_length"] > 0:
        text[0] = _CARET
        at = 1
    for entry in range(flow["history_length"]):
        code = flow["history"][entry]
        text[at] = _UPPER[code >> 1] if (code & 1) == client else _LOWER[code >> 1]
        at += 1


@kernel
def write_counters(cells, counters, flow):
    """The sparse counters."""
    counters[COUNTER_OF_FACT[MIN_WINDOW_BYTES]] = -1
    counters[COUNTER_OF_FACT[MIN_WINDOW_BYTES + 1]] = -1
    counters[COUNTER_OF_FACT[FLOW_SECONDS]] = flow["flow_seconds"]
    counters[COUNTER_OF_FACT[ACTIVE_SECONDS]] = flow["active_seconds"]
    counters[COUNTER_OF_FACT[BURST_BYTES]] = flow["burst_max"]
    head = flow["cells"]
    while head >= 0:
        block = cells[head]
        for entry in range(block["used"]):
            counters[COUNTER_OF_FACT[block["fact"][entry]]] += block["value"][entry]
        head = block["next"]


@kernel
def write_volume(counters, side, role):
    """The dense counters of one side."""
    counters[COUNTER_OF_FACT[PACKETS + role]] = side["packets"]
    counters[COUNTER_OF_FACT[BYTES + role]] = side["bytes"]
    counters[COUNTER_OF_FACT[PAYLOAD_BYTES + role]] = side["payload_bytes"]
    counters[COUNTER_OF_FACT[DATA_PACKETS + role]] = side["data_packets"]
    counters[COUNTER_OF_FACT[MAX_PACKET_BYTES + role]] = side["max_packet"]
    counters[COUNTER_OF_FACT[TRUNCATED + role]] = side["truncated"]
    counters[COUNTER_OF_FACT[MIN_WINDOW_BYTES + role]] = side["min_window"]


@kernel
def write_single(timing, duration_ns):
    """A timing that a connection has once."""
    timing[0] = 0
    if duration_ns >= 0:
        timing[:] = duration_ns
        timing[0] = 1


@kernel
def write_many(out, timing, first):
    """A timing with many samples; percentiles have rank floor(q (n - 1)), as everywhere, and stay within min and
    max."""
    timing[0] = 0
    if first < 0:
        return
    values, counts = out.scratch[0], out.scratch[1]
    used = sorted_bins(out, first)
    total = 0
    for entry in range(used):
        total += counts[entry]
    head = out.bins[first]
    timing[0] = total
    timing[1] = head["sum"]
    timing[2] = head["min"]
    timing[3] = head["max"]
    for rank in range(len(_RANKS)):
        left = int(_RANKS[rank] * (total - 1))
        entry = 0
        while counts[entry] <= left:
            left -= counts[entry]
            entry += 1
        value = int(2000.0 * GROWTH ** values[entry] / (GROWTH + 1))
        timing[4 + rank] = min(max(value, head["min"]), head["max"])
