"""Numbers of what is counted, as constants for the kernels; they follow from the registry and are never stored.

A fact is one of the registry's counters. Sided facts come first, client's before server's, so that `FACT + role` is the
right one of a pair. What nearly every row has is a dense column of its row, all else an event (row, code, value); codes
from TIMING on are samples of timings. A new metric over old facts changes nothing here.
"""

from __future__ import annotations

import numpy as np

from cstor.buckets.second import DENSE, OUTCOMES
from cstor.metrics.registry import COUNTERS, HISTOGRAMS, SCALARS

_SIDED = [base.key.removesuffix("_client") for base in COUNTERS if base.side == "client"]
_SIDED_KEYS = [f"{name}_{side}" for name in _SIDED for side in ("client", "server")]
FACTS = (*_SIDED_KEYS, *(base.key for base in COUNTERS if base.key not in _SIDED_KEYS))
# NumPy's integers: Numba compiles a kernel again for each literal that it is called with, but not for these.
_NUMBER = {key: np.int64(number) for number, key in enumerate(FACTS)}
SIDED_FACTS = len(_SIDED_KEYS)

KEEP_ALIVES = _NUMBER["keep_alives_client"]
ZERO_WINDOW_PROBES = _NUMBER["zero_window_probes_client"]
ZERO_WINDOWS = _NUMBER["zero_windows_client"]
GAPS = _NUMBER["gaps_client"]
WINDOW_FULL = _NUMBER["window_full_client"]
DUPLICATE_ACKS = _NUMBER["duplicate_acks_client"]
ACKED_UNSEEN = _NUMBER["acked_unseen_client"]
SPURIOUS_RETRANSMISSIONS = _NUMBER["spurious_retransmissions_client"]
FAST_RETRANSMISSIONS = _NUMBER["fast_retransmissions_client"]
OUT_OF_ORDER = _NUMBER["out_of_order_client"]
RETRANSMISSIONS = _NUMBER["retransmissions_client"]
GAP_BYTES = _NUMBER["gap_bytes_client"]
RETRANSMITTED_BYTES = _NUMBER["retransmitted_bytes_client"]
ZERO_WINDOW_TIME = _NUMBER["zero_window_time_client"]
MIN_WINDOW_BYTES = _NUMBER["min_window_bytes_client"]
RESETS = _NUMBER["resets_client"]
FINS = _NUMBER["fins_client"]
SEQUENCE_ERRORS = _NUMBER["sequence_errors_client"]
UNSEEN_BYTES = _NUMBER["unseen_bytes_client"]
DUPLICATES = _NUMBER["duplicates_client"]
FRAGMENTS = _NUMBER["fragments_client"]
PACKETS = _NUMBER["packets_client"]
BYTES = _NUMBER["bytes_client"]
PAYLOAD_BYTES = _NUMBER["payload_bytes_client"]
DATA_PACKETS = _NUMBER["data_packets_client"]
MAX_PACKET_BYTES = _NUMBER["max_packet_bytes_client"]
TRUNCATED = _NUMBER["truncated_client"]
SYNS = _NUMBER["syns"]
SYN_ACKS = _NUMBER["syn_acks"]
ATTEMPTS = _NUMBER["attempts"]
SYN_RETRANSMISSIONS = _NUMBER["syn_retransmissions"]
ESTABLISHED = _NUMBER["established"]
REFUSED = _NUMBER["refused"]
UNREACHABLE = _NUMBER["unreachable"]
UNANSWERED = _NUMBER["unanswered"]
HALF_OPEN = _NUMBER["half_open"]
CLIENT_ABORTED = _NUMBER["client_aborted"]
CLOSED = _NUMBER["closed"]
RESET_BY_CLIENT = _NUMBER["reset_by_client"]
RESET_BY_SERVER = _NUMBER["reset_by_server"]
TIMED_OUT = _NUMBER["timed_out"]
MISSING_SYN = _NUMBER["missing_syn"]
ONE_SIDED = _NUMBER["one_sided"]
MIRROR_REORDERED = _NUMBER["mirror_reordered"]
TURNS_AMBIGUOUS = _NUMBER["turns_ambiguous"]
TIMING_ERRORS = _NUMBER["timing_errors"]
FLOW_SECONDS = _NUMBER["flow_seconds"]
ACTIVE_SECONDS = _NUMBER["active_seconds"]
BURST_BYTES = _NUMBER["burst_bytes"]

# Timings: those that a connection has at most once, those that it has many of, and its duration.
_ONCE = ("handshake_rtt_server", "handshake_rtt_client", "handshake_rtt", "connect_time")
_MANY = ("ack_rtt_client", "ack_rtt_server", "response_time", "request_transfer", "response_transfer", "client_think")
TIMINGS = (*_ONCE, *_MANY, "session_duration")
HANDSHAKE_RTT_SERVER, HANDSHAKE_RTT_CLIENT, HANDSHAKE_RTT, CONNECT_TIME = map(np.int64, range(len(_ONCE)))
ACK_RTT, _ack_rtt_server, RESPONSE_TIME, REQUEST_TRANSFER, RESPONSE_TRANSFER, CLIENT_THINK = map(
    np.int64, range(len(_ONCE), len(_ONCE) + len(_MANY))
)
SESSION_DURATION = np.int64(len(TIMINGS) - 1)
ONCE, MANY = len(_ONCE), len(_MANY)
TIMING = len(FACTS)  # code of the first timing
CODES = TIMING + len(TIMINGS)

# Columns of a row in the arena: what every packet adds to stands in the first two cache lines. Rows are a whole number
# of lines long.
_ROW = (
    *(
        f"{key}_{side}"
        for key in ("packets", "bytes", "payload_bytes", "data_packets")
        for side in ("client", "server")
    ),
    *("max_packet_bytes_client", "max_packet_bytes_server", "burst_bytes", "burst_ms", "burst_sum"),
    *("min_window_client", "min_window_server", "active_seconds"),
    *("flow_seconds", "truncated_client", "truncated_server"),
)
COLUMNS = -(-len(_ROW) // 8) * 8
_COLUMN = {key: number for number, key in enumerate(_ROW)}
COLUMN_PACKETS = _COLUMN["packets_client"]
COLUMN_BYTES = _COLUMN["bytes_client"]
COLUMN_PAYLOAD = _COLUMN["payload_bytes_client"]
COLUMN_DATA = _COLUMN["data_packets_client"]
COLUMN_MAX_PACKET = _COLUMN["max_packet_bytes_client"]
COLUMN_FLOWS = _COLUMN["flow_seconds"]
COLUMN_ACTIVE = _COLUMN["active_seconds"]
COLUMN_BURST = _COLUMN["burst_bytes"]
COLUMN_TRUNCATED = _COLUMN["truncated_client"]
COLUMN_MIN_WINDOW = _COLUMN["min_window_client"]  # the window + 1, 0 absent
COLUMN_BURST_MS = _COLUMN["burst_ms"]
COLUMN_BURST_SUM = _COLUMN["burst_sum"]

# From our numbers to those of the registry. ORDER_OF_CODE sorts events as the registry sorts their bases: the four
# scalars of a timing follow each other there, and so do its bins.
_SCALAR = {base.key: number for number, base in enumerate(SCALARS)}
_HISTOGRAM = {base.key: number for number, base in enumerate(HISTOGRAMS)}
_COUNTER = {base.key: number for number, base in enumerate(COUNTERS)}
ORDER_OF_CODE = np.array([_SCALAR[key] for key in FACTS] + [_SCALAR[f"{key}_count"] for key in TIMINGS], np.int64)
COLUMN_OF_SHOWN = np.array([_COLUMN.get(key, -1) for key in DENSE], np.int64)  # -1: filled when the second closes
HISTOGRAM_OF_TIMING = np.array([_HISTOGRAM[key] for key in TIMINGS], np.int64)
COUNTER_OF_FACT = np.array([_COUNTER[key] for key in FACTS], np.int64)
HISTOGRAM_OF_BASE = np.full(len(SCALARS), -1, np.int64)  # of the count of a timing
HISTOGRAM_OF_BASE[[_SCALAR[f"{key}_count"] for key in TIMINGS]] = HISTOGRAM_OF_TIMING
# Column of DENSE of the count of a timing, where count, sum, min and max are columns and not cells.
SHOWN_OF_BASE = np.array([DENSE.index(base.key) if base.key in DENSE else -1 for base in SCALARS], np.int64)
PARTS = ("count", "sum", "min", "max")
assert all(_SCALAR[f"{key}_{part}"] == _SCALAR[f"{key}_count"] + at for key in TIMINGS for at, part in enumerate(PARTS))


def outcome_number(name: str) -> np.int64:
    """Number of an outcome, as sessions carry it."""
    return np.int64(OUTCOMES.index(name))
