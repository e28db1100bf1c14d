"""An ended connection, or an idle flow: set aside as it is while packets are analysed, one record of it later.

The analysis copies what it knows of the flow (its row, both sides, the chains of counters and bins) and goes on.
Whoever stores sessions makes the records, with every counter, every timing with its percentiles and the history, in a
thread of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

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
from cstor.buckets.second import SESSION
from cstor.flows.analyzers.handshake import handshake_timing
from cstor.flows.analyzers.history import LETTERS
from cstor.flows.layout import FLOW, RAW_SESSION, SIDE
from cstor.flows.ledger import (
    BIN_BLOCK,
    CELL_BLOCK,
    LONGEST_NS,
    MAX_BIN_BLOCKS,
    MAX_CELL_BLOCKS,
    MAX_SAMPLE_BLOCKS,
    SAMPLE_BLOCK,
    SCRATCH,
    TALLIES,
    TIMING_SHIFT,
    bin_of,
    sorted_bins,
)
from cstor.flows.memory import reserve
from cstor.flows.registers import ENDED_BINS, ENDED_CELLS, ENDED_SAMPLES, SESSIONS, SESSIONS_CLOSED
from cstor.metrics.histogram import GROWTH
from wire.packets.jit import kernel

_CARET = ord("^")
_UPPER = np.frombuffer(LETTERS, np.uint8).astype(np.int64)
_LOWER = np.frombuffer(LETTERS.lower(), np.uint8).astype(np.int64)
_RANKS = (0.5, 0.95, 0.99)


class Ended(NamedTuple):
    """Flows that were set aside, each with two sides; chains of blocks by their place in `cells` and `bins`."""

    flows: np.ndarray  # FLOW[n]
    sides: np.ndarray  # SIDE[2 n]
    cells: np.ndarray  # CELL_BLOCK
    samples: np.ndarray  # SAMPLE_BLOCK
    bins: np.ndarray  # BIN_BLOCK


class EndedSessions:
    """Sessions that ended since the last call: as many as there are, and on demand their records."""

    def __init__(self, parts: Sequence[Ended]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return sum(len(part.flows) for part in self.parts)

    @cached_property
    def rows(self) -> np.ndarray:
        """SESSION[n]."""
        rows = np.zeros(len(self), RAW_SESSION)
        scratch = np.zeros(SCRATCH, np.int64)
        at = 0
        for part in self.parts:
            write_sessions(part, scratch, rows[at : at + len(part.flows)])
            at += len(part.flows)
        return rows.view(SESSION)


def new_ended(flows: int) -> Ended:
    """Room for so many flows with all the blocks that each may have."""
    return Ended(
        reserve(flows, FLOW),
        reserve(2 * flows, SIDE),
        reserve(flows * MAX_CELL_BLOCKS, CELL_BLOCK),
        reserve(flows * MAX_SAMPLE_BLOCKS, SAMPLE_BLOCK),
        reserve(flows * MANY * MAX_BIN_BLOCKS, BIN_BLOCK),
    )


@kernel
def set_aside(state, number):
    """Copy what is known of a flow; the caller of the kernel made sure that there is room."""
    registers = state.out.registers
    ended = state.ended
    at = registers[SESSIONS]
    registers[SESSIONS] += 1
    registers[SESSIONS_CLOSED] += 1
    ended.flows[at] = state.flows[number]
    ended.sides[2 * at] = state.sides[2 * number]
    ended.sides[2 * at + 1] = state.sides[2 * number + 1]
    flow = ended.flows[at]
    flow["cells"] = copy_chain(state.out.cells, flow["cells"], ended.cells, registers, ENDED_CELLS)
    flow["samples"] = copy_chain(state.out.samples, flow["samples"], ended.samples, registers, ENDED_SAMPLES)
    for timing in range(MANY):
        flow["timings"][timing] = copy_chain(state.out.bins, flow["timings"][timing], ended.bins, registers, ENDED_BINS)


@kernel
def copy_chain(pool, head, to, registers, used):
    """Append a chain's blocks to `to`, of which register `used` tells the fill; returns its new head."""
    if head < 0:
        return head
    first = registers[used]
    while head >= 0:
        at = registers[used]
        to[at] = pool[head]
        head = to[at]["next"]
        to[at]["next"] = at + 1 if head >= 0 else -1
        registers[used] = at + 1
    return first


@kernel
def write_sessions(ended, scratch, sessions):
    """The records of flows that were set aside; `sessions` are zeros."""
    for number in range(len(ended.flows)):
        write_session(ended, number, scratch, sessions[number])


@kernel
def write_session(ended, number, scratch, session):
    """One record."""
    flow = ended.flows[number]
    client = flow["client_side"]
    write_key(session, flow, client)
    write_history(session, flow, client)
    session["timings"][:] = -1
    write_counters(ended.cells, session["counters"], flow)
    for role in range(2):
        write_volume(session["counters"], ended.sides[2 * number + (role ^ client)], role)
    for timing in range(ONCE):
        write_single(session["timings"][HISTOGRAM_OF_TIMING[timing]], handshake_timing(flow, timing))
    write_single(session["timings"][HISTOGRAM_OF_TIMING[SESSION_DURATION]], flow["last_ns"] - flow["start_ns"])
    for timing in range(MANY):
        write_many(ended, flow, timing, scratch, session["timings"][HISTOGRAM_OF_TIMING[ONCE + timing]])


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
    if client == 1 and flow["history_length"] > 0:
        text[0] = _CARET
        at = 1
    for entry in range(flow["history_length"]):
        code = flow["history"][entry]
        text[at] = _UPPER[code >> 1] if (code & 1) == client else _LOWER[code >> 1]
        at += 1


@kernel
def write_counters(cells, counters, flow):
    """The sparse counters, and those that stand in the row."""
    counters[COUNTER_OF_FACT[MIN_WINDOW_BYTES]] = -1
    counters[COUNTER_OF_FACT[MIN_WINDOW_BYTES + 1]] = -1
    counters[COUNTER_OF_FACT[FLOW_SECONDS]] = flow["flow_seconds"]
    counters[COUNTER_OF_FACT[ACTIVE_SECONDS]] = flow["active_seconds"]
    counters[COUNTER_OF_FACT[BURST_BYTES]] = flow["burst_max"]
    for tally in range(len(TALLIES)):
        counters[COUNTER_OF_FACT[TALLIES[tally]]] = flow["tallies"][tally]
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
def write_many(ended, flow, number, scratch, timing):
    """A timing with many samples; percentiles have rank floor(q (n - 1)), as everywhere, and stay within min and
    max."""
    timing[0] = 0
    values, counts = scratch[0], scratch[1]
    used, total = 0, 0
    first = flow["timings"][number]
    if first >= 0:
        used = sorted_bins(ended.bins, scratch, first)
        for entry in range(used):
            total += counts[entry]
        head = ended.bins[first]
        timing[1], timing[2], timing[3] = head["sum"], head["min"], head["max"]
    block = flow["samples"]
    while block >= 0:
        samples = ended.samples[block]
        for entry in range(samples["used"]):
            if samples["sample"][entry] >> TIMING_SHIFT == number:
                duration_ns = samples["sample"][entry] & LONGEST_NS
                used = add_bin(values, counts, used, bin_of(duration_ns))
                timing[1] = duration_ns + (timing[1] if total > 0 else 0)
                timing[2] = min(duration_ns, timing[2]) if total > 0 else duration_ns
                timing[3] = max(duration_ns, timing[3])
                total += 1
        block = samples["next"]
    timing[0] = total
    if total > 0:
        write_percentiles(values, counts, timing)


@kernel
def add_bin(values, counts, used, bin):
    """Count a bin in sorted ones; returns how many there are."""
    at = used
    while at > 0 and values[at - 1] >= bin:
        at -= 1
    if at < used and values[at] == bin:
        counts[at] += 1
        return used
    for later in range(used, at, -1):
        values[later] = values[later - 1]
        counts[later] = counts[later - 1]
    values[at] = bin
    counts[at] = 1
    return used + 1


@kernel
def write_percentiles(values, counts, timing):
    """p50, p95 and p99 of sorted bins."""
    for rank in range(len(_RANKS)):
        left = int(_RANKS[rank] * (timing[0] - 1))
        entry = 0
        while counts[entry] <= left:
            left -= counts[entry]
            entry += 1
        value = int(2000.0 * GROWTH ** values[entry] / (GROWTH + 1))
        timing[4 + rank] = min(max(value, timing[2]), timing[3])
