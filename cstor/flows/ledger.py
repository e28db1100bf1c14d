"""What a connection keeps besides its state: sparse counters, samples and bins, in chains of 64-byte blocks.

Most connections have two or three of the sixty rare counters, and a handful of samples per timing: a dense row would be
six times as large. Samples are kept as they come; those of a long connection are folded into bins, some fifty
at a time. `count` and `sample` are the two ways in which analyzers report; each feeds bucket and connection.
"""

from __future__ import annotations

import math

import numpy as np

from cstor.buckets.arena import push
from cstor.buckets.columns import (
    ATTEMPTS,
    CLOSED,
    ESTABLISHED,
    FACTS,
    FINS,
    MANY,
    ONCE,
    SIDED_FACTS,
    SYN_ACKS,
    SYNS,
    TIMING,
    TIMING_ERRORS,
)
from cstor.flows.registers import (
    BIN_FREE,
    BIN_HIGH,
    CELL_FREE,
    CELL_HIGH,
    POOL_FULL,
    SAMPLE_FREE,
    SAMPLE_HIGH,
    TIMING_ERRORS_SEEN,
)
from cstor.metrics.histogram import FIRST_BIN_NS, LAST_BIN, LOG_GROWTH
from wire.packets.jit import kernel, part

CELLS_PER_BLOCK = 5
BINS_PER_BLOCK = 5
SAMPLES_PER_BLOCK = 7
MAX_SAMPLE_BLOCKS = 8
SAMPLES_KEPT = SAMPLES_PER_BLOCK * MAX_SAMPLE_BLOCKS
TIMING_SHIFT = 56  # a kept sample: the timing above, nanoseconds below
LONGEST_NS = (1 << TIMING_SHIFT) - 1  # two years
MAX_CELL_BLOCKS = -(-len(FACTS) // CELLS_PER_BLOCK)
MAX_BIN_BLOCKS = 20  # per timing and connection; beyond them neighbouring bins are joined

CELL_BLOCK = np.dtype([("next", "i4"), ("used", "i4"), ("fact", "i2", (5,)), ("value", "i8", (5,))], align=True)
BIN_BLOCK = np.dtype(
    [
        ("next", "i4"),
        ("used", "i4"),
        ("sum", "i8"),  # sum, min, max: of all samples, in the first block only
        ("min", "i8"),
        ("max", "i8"),
        ("n", "i4", (5,)),
        ("bin", "i2", (5,)),
    ],
    align=True,
)
SAMPLE_BLOCK = np.dtype([("next", "i4"), ("used", "i4"), ("sample", "i8", (SAMPLES_PER_BLOCK,))], align=True)
BLOCK_BYTES = 64
assert CELL_BLOCK.itemsize == BIN_BLOCK.itemsize == SAMPLE_BLOCK.itemsize == BLOCK_BYTES

# What nearly every connection has, and one at a time, is counted in bytes of its row; what exceeds them in a cell.
TALLIES = (FINS, FINS + 1, SYNS, SYN_ACKS, ATTEMPTS, ESTABLISHED, CLOSED)
TALLY_OF_FACT = np.full(len(FACTS), -1, np.int64)
TALLY_OF_FACT[list(TALLIES)] = np.arange(len(TALLIES))
MAX_TALLY = 255

SCRATCH = (2, BINS_PER_BLOCK * MAX_BIN_BLOCKS + SAMPLES_KEPT)  # work space for the bins of one timing


@kernel
def bin_of(duration_ns):
    """The histogram bin of a duration; the same as cstor.metrics.histogram.bin_of."""
    if duration_ns <= FIRST_BIN_NS:
        return 0
    return min(math.ceil(math.log(duration_ns / FIRST_BIN_NS) / LOG_GROWTH), LAST_BIN)


@kernel
def new_block(pool, registers, high, free):
    """An empty block out of a pool (`high` and `free` are its registers); -1 where it is full, counted."""
    number = registers[free]
    if number >= 0:
        registers[free] = pool[number]["next"]
    elif registers[high] < len(pool):
        number = registers[high]
        registers[high] += 1
    else:
        registers[POOL_FULL] += 1
        return -1
    pool[number]["next"] = -1
    pool[number]["used"] = 0
    return number


@kernel
def free_chain(pool, registers, free, head):
    """Give a chain back to its pool."""
    while head >= 0:
        after = pool[head]["next"]
        pool[head]["next"] = registers[free]
        registers[free] = head
        head = after


@kernel
def count(out, flow, fact, value):
    """Add to a counter of the bucket under the cursor and of the connection."""
    push(out.events, out.registers, fact, value)
    tally = TALLY_OF_FACT[fact]
    if tally >= 0 and flow["tallies"][tally] < MAX_TALLY:
        flow["tallies"][tally] += 1
    else:
        count_cell(out, flow, fact, value)


@kernel
def count_cell(out, flow, fact, value):
    """Add to a cell of the connection."""
    head = flow["cells"]
    while head >= 0:
        block = out.cells[head]
        for entry in range(block["used"]):
            if block["fact"][entry] == fact:
                block["value"][entry] += value
                return
        head = block["next"]
    head = flow["cells"]
    if head < 0 or out.cells[head]["used"] == CELLS_PER_BLOCK:
        head = new_block(out.cells, out.registers, CELL_HIGH, CELL_FREE)
        if head < 0:
            return
        out.cells[head]["next"] = flow["cells"]
        flow["cells"] = head
    block = out.cells[head]
    block["fact"][block["used"]] = fact
    block["value"][block["used"]] = value
    block["used"] += 1


@kernel
def sample(out, flow, timing, duration_ns):
    """Report a duration; a negative one (time stamps not in order) is dropped and counted."""
    if duration_ns < 0:
        out.registers[TIMING_ERRORS_SEEN] += 1
        count(out, flow, TIMING_ERRORS, 1)
        return
    push(out.events, out.registers, TIMING + timing, duration_ns)
    if timing < ONCE:
        flow["measured"] |= 1 << timing
    elif timing < ONCE + MANY:
        if flow["samples_used"] == SAMPLES_KEPT:
            fold_samples(out, flow)
        log_sample(out.samples, out.registers, flow, timing - ONCE, duration_ns)


@part
def log_sample(pool, registers, flow, timing, duration_ns):
    """Append a sample to the connection's."""
    at = flow["samples_used"] % SAMPLES_PER_BLOCK
    number = flow["samples"]
    if at == 0:
        number = new_block(pool, registers, SAMPLE_HIGH, SAMPLE_FREE)
        if number < 0:
            return
        pool[number]["next"] = flow["samples"]
        flow["samples"] = number
    pool[number]["sample"][at] = timing << TIMING_SHIFT | min(duration_ns, LONGEST_NS)
    pool[number]["used"] = at + 1
    flow["samples_used"] += 1


@kernel
def fold_samples(out, flow):
    """Move the connection's samples into its bins."""
    number = flow["samples"]
    while number >= 0:
        block = out.samples[number]
        for entry in range(block["used"]):
            duration_ns = block["sample"][entry] & LONGEST_NS
            keep(out, flow, block["sample"][entry] >> TIMING_SHIFT, bin_of(duration_ns), duration_ns)
        number = block["next"]
    free_chain(out.samples, out.registers, SAMPLE_FREE, flow["samples"])
    flow["samples"] = -1
    flow["samples_used"] = 0


@kernel
def keep(out, flow, timing, bin, duration_ns):
    """Add a sample to the connection's own histogram."""
    first = flow["timings"][timing]
    if first < 0:
        first = new_block(out.bins, out.registers, BIN_HIGH, BIN_FREE)
        if first < 0:
            return
        flow["timings"][timing] = first
        out.bins[first]["sum"] = 0
        out.bins[first]["min"] = duration_ns
        out.bins[first]["max"] = duration_ns
    head = out.bins[first]
    head["sum"] += duration_ns
    head["min"] = min(head["min"], duration_ns)
    head["max"] = max(head["max"], duration_ns)
    keep_bin(out, first, bin)


@kernel
def keep_bin(out, first, bin):
    """Count a bin in a chain; where the last block is full, neighbours join to make room."""
    number, blocks = first, 0
    while True:
        block = out.bins[number]
        blocks += 1
        for entry in range(block["used"]):
            if block["bin"][entry] == bin:
                block["n"][entry] += 1
                return
        if block["used"] < BINS_PER_BLOCK or block["next"] < 0:
            break
        number = block["next"]
    if block["used"] == BINS_PER_BLOCK:
        after = new_block(out.bins, out.registers, BIN_HIGH, BIN_FREE) if blocks < MAX_BIN_BLOCKS else -1
        if after < 0:
            join_neighbours(out, first)
            keep_bin_again(out, first, bin)
            return
        block["next"] = after
        block = out.bins[after]
    block["bin"][block["used"]] = bin
    block["n"][block["used"]] = 1
    block["used"] += 1


@kernel
def keep_bin_again(out, first, bin):
    """Count a bin in a chain that has room (kernels do not call themselves)."""
    number = first
    while out.bins[number]["used"] == BINS_PER_BLOCK and out.bins[number]["next"] >= 0:
        number = out.bins[number]["next"]
    block = out.bins[number]
    if block["used"] < BINS_PER_BLOCK:
        block["bin"][block["used"]] = bin
        block["n"][block["used"]] = 1
        block["used"] += 1


@kernel
def sorted_bins(pool, scratch, first):
    """Collect the bins of a chain in ascending order in `scratch`; returns how many."""
    bins, counts = scratch[0], scratch[1]
    used = 0
    number = first
    while number >= 0:
        block = pool[number]
        for entry in range(block["used"]):
            bin = block["bin"][entry]
            at = used
            while at > 0 and bins[at - 1] > bin:
                bins[at] = bins[at - 1]
                counts[at] = counts[at - 1]
                at -= 1
            bins[at] = bin
            counts[at] = block["n"][entry]
            used += 1
        number = block["next"]
    return used


@kernel
def join_neighbours(out, first):
    """Join bins that lie close together, as far apart as it takes to free a quarter of the chain."""
    bins, counts = out.scratch[0], out.scratch[1]
    used = sorted_bins(out.bins, out.scratch, first)
    wanted = used * 3 // 4
    reach = 1
    while used > wanted:
        kept = 0
        for at in range(1, used):
            if bins[at] - bins[kept] <= reach:
                if counts[at] > counts[kept]:
                    bins[kept] = bins[at]
                counts[kept] += counts[at]
            else:
                kept += 1
                bins[kept] = bins[at]
                counts[kept] = counts[at]
        used = kept + 1
        reach += 1
    number, at = first, 0
    while number >= 0:
        block = out.bins[number]
        block["used"] = min(used - at, BINS_PER_BLOCK)
        for entry in range(block["used"]):
            block["bin"][entry] = bins[at]
            block["n"][entry] = counts[at]
            at += 1
        number = block["next"]


@kernel
def turn_cells(out, flow):
    """Exchange client and server in what was counted so far: a later SYN showed the roles to be the other way round."""
    head = flow["cells"]
    while head >= 0:
        block = out.cells[head]
        for entry in range(block["used"]):
            if block["fact"][entry] < SIDED_FACTS:
                block["fact"][entry] ^= 1
        head = block["next"]
    flow["tallies"][0], flow["tallies"][1] = flow["tallies"][1], flow["tallies"][0]
    flow["timings"][0], flow["timings"][1] = flow["timings"][1], flow["timings"][0]
    head = flow["samples"]
    while head >= 0:
        block = out.samples[head]
        for entry in range(block["used"]):
            if block["sample"][entry] >> TIMING_SHIFT < 2:
                block["sample"][entry] ^= 1 << TIMING_SHIFT
        head = block["next"]
