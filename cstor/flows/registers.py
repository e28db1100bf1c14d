"""One small array of numbers that all kernels share: the clock, the cursor, fill levels, heads of free lists,
statistics.

It stays in the first-level cache, and one array is cheaper to hand from kernel to kernel than thirty numbers.
"""

from __future__ import annotations

import numpy as np

ARENAS = 3  # two open seconds by parity, and LATE for rows of any other second
LATE = 2
NEVER = -(1 << 62)  # the clock before the first packet

# Values that depend on the arena stand in runs of ARENAS.
ROWS = 0  # rows used
FILL = ROWS + ARENAS  # events used
SERIAL = FILL + ARENAS  # changes whenever the arena is emptied: rows remembered by a flow are valid for one serial
OTHER = SERIAL + ARENAS  # the row that takes what exceeds the limit, -1 none yet
(
    CLOCK,  # the newest second that has been reached
    WANTED,  # the second to which the kernel asks the clock to be moved
    BEHIND,  # packets in a row that were older than the open seconds
    SLOT,  # cursor: arena and row that take what is counted now
    ROW,
    SEED,
    MAX_ROWS,
    LIVE,  # 1: closed seconds stay closed
    FLOW_HIGH,  # pool marks: entries ever used, and the head of the list of free ones (-1 none)
    FLOW_FREE,
    CONVERSATION_HIGH,
    CONVERSATION_FREE,
    CELL_HIGH,
    CELL_FREE,
    BIN_HIGH,
    BIN_FREE,
    SAMPLE_HIGH,
    SAMPLE_FREE,
    RING_HIGH,
    RING_FREE,  # small ones, then large ones
    RING_FREE_LARGE,
    SESSIONS,  # flows that were set aside, and blocks of their chains
    ENDED_CELLS,
    ENDED_SAMPLES,
    ENDED_BINS,
    # statistics
    FLOWS,
    CONVERSATIONS,
    PACKETS,
    NOT_IP,
    FLOWS_OPENED,
    SESSIONS_CLOSED,
    EVICTED,
    LATE_PACKETS,
    OUTLIERS,
    ROWS_FOLDED,
    POOL_FULL,
    TIMING_ERRORS_SEEN,
    COPY_SWITCHES,
) = range(OTHER + ARENAS, OTHER + ARENAS + 38)
SIZE = COPY_SWITCHES + 1

STATISTICS = {
    "flows": FLOWS,
    "conversations": CONVERSATIONS,
    "packets": PACKETS,
    "not_ip": NOT_IP,
    "flows_opened": FLOWS_OPENED,
    "sessions": SESSIONS_CLOSED,
    "evicted": EVICTED,
    "late_packets": LATE_PACKETS,
    "time_outliers": OUTLIERS,
    "rows_folded": ROWS_FOLDED,
    "pool_full": POOL_FULL,
    "timing_errors": TIMING_ERRORS_SEEN,
    "copy_switches": COPY_SWITCHES,
}


def new_registers(seed: int, max_rows: int, live: bool) -> np.ndarray:
    """Registers of an analysis that has seen nothing."""
    registers = np.zeros(SIZE, np.int64)
    registers[SERIAL : SERIAL + ARENAS] = np.arange(1, ARENAS + 1)
    registers[OTHER : OTHER + ARENAS] = -1
    registers[CLOCK] = NEVER
    registers[[FLOW_FREE, CONVERSATION_FREE, CELL_FREE, BIN_FREE, SAMPLE_FREE, RING_FREE, RING_FREE_LARGE]] = -1
    registers[SEED], registers[MAX_ROWS], registers[LIVE] = seed, max_rows, live
    return registers
