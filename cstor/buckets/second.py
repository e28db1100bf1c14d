"""What the analysis hands over: closed seconds of conversations, and sessions that ended.

Numbers of bases and histograms are positions in the registry's SCALARS and HISTOGRAMS; whoever stores them stores
names.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cstor.metrics.registry import COUNTERS, HISTOGRAMS, SCALARS

_KEYS = [
    ("client_hi", "i8"),  # addresses as 128-bit patterns in network order; IPv4 as ::ffff:a.b.c.d
    ("client_lo", "i8"),
    ("server_hi", "i8"),
    ("server_lo", "i8"),
    ("server_port", "i4"),
    ("vni", "i4"),  # -1 none
    ("protocol", "i2"),
    ("vlan", "i2"),  # -1 none
    ("is_copy", "u1"),
]
CONVERSATION = np.dtype([*_KEYS, ("is_other", "u1")], align=True)  # is_other: the folded rest, keys are zero

# Bases that nearly every row has; all others are cells.
DENSE: tuple[str, ...] = (
    *(
        f"{base}_{side}"
        for base in ("packets", "bytes", "payload_bytes", "data_packets")
        for side in ("client", "server")
    ),
    *(f"max_packet_bytes_{side}" for side in ("client", "server")),
    "flow_seconds",
    "active_seconds",
    "burst_bytes",
    *(f"ack_rtt_{side}_{part}" for side in ("client", "server") for part in ("count", "sum", "min", "max")),
)

CELL = np.dtype([("row", "i4"), ("base", "i2"), ("value", "i8")], align=True)  # base: index in SCALARS
BIN = np.dtype([("row", "i4"), ("metric", "i2"), ("bin", "i2"), ("n", "i4")], align=True)  # metric: index in HISTOGRAMS


class ClosedSecond(NamedTuple):
    """One second of all conversations; may come again for late packets, readers merge.

    0 in a dense sum is absent; a dense minimum or maximum with a `_count` is valid only where that is above 0.
    """

    t: int  # epoch second
    keys: np.ndarray  # CONVERSATION[n]
    dense: np.ndarray  # i8[n, len(DENSE)]
    cells: np.ndarray  # CELL[k], sorted by row, base
    bins: np.ndarray  # BIN[m], sorted by row, metric, bin


class RawSecond(NamedTuple):
    """A second as the kernels left it, for a Closer to fold: rows and events of its own, shared with nobody."""

    t: int  # epoch second
    keys: np.ndarray  # CONVERSATION[n]
    dense: np.ndarray  # i8[n, COLUMNS]
    events: np.ndarray  # i8, words of events: see arena.py


OUTCOMES: tuple[str, ...] = (
    "active",
    "established",
    "closed",
    "reset_by_client",
    "reset_by_server",
    "timed_out",
    "refused",
    "unreachable",
    "unanswered",
    "half_open",
    "client_aborted",
    "evicted",  # the flow table was full
    "",  # not TCP
)

SESSION = np.dtype(
    [
        *_KEYS,
        ("role_guessed", "u1"),
        ("outcome", "i1"),  # index in OUTCOMES
        ("client_port", "i4"),
        ("start_ns", "i8"),
        ("end_ns", "i8"),
        ("history", "S32"),
        *((base.key, "i8") for base in COUNTERS),
        # nanoseconds, -1 absent
        *(
            (f"{base.key}_{part}", "i8")
            for base in HISTOGRAMS
            for part in ("count", "sum", "min", "max", "p50", "p95", "p99")
        ),
    ],
    align=True,
)


class SessionBatch(NamedTuple):
    """Sessions that ended since the last batch."""

    rows: np.ndarray  # SESSION[n]


assert {"packets_client", "ack_rtt_client_count"} <= {base.key for base in SCALARS}
