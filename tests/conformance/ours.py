"""Our side of the comparison: a capture decoded and analysed to its end, its TCP sessions by pair of endpoints.

Only public entry points are used (open_capture, decode_batch, Analysis and its sessions), so that the layouts inside
may change.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import numpy as np

from cstor.buckets.second import ClosedSecond
from cstor.flows.analysis import Analysis
from wire.packets.batch import MAX_PACKETS
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import TCP, new_error_counters, new_packets
from wire.packets.pcap import CaptureError, open_capture

End = tuple[str, int]
Pair = frozenset[End]
LONG = 10**6  # a table of fragments that nothing is pushed out of


@dataclass(frozen=True)
class Session:
    """One TCP session of ours, with its ends in words."""

    client: End
    server: End
    row: Any  # SESSION

    @property
    def pair(self) -> Pair:
        return frozenset((self.client, self.server))

    @property
    def packets(self) -> int:
        return int(self.row["packets_client"]) + int(self.row["packets_server"])

    @property
    def start_ns(self) -> int:
        return int(self.row["start_ns"])

    def of(self, stem: str, end: End) -> int:
        """A counter with two sides, of the packets that this end sent."""
        if self.client == self.server:  # one end talks to itself: there is one direction
            return int(self.row[f"{stem}_client"]) + int(self.row[f"{stem}_server"])
        return int(self.row[f"{stem}_{'client' if end == self.client else 'server'}"])


@dataclass
class Ours:
    """One capture analysed."""

    sessions: np.ndarray  # SESSION, every protocol
    tcp: dict[Pair, list[Session]]  # by end
    seconds: list[ClosedSecond]
    packets: int


def address(hi: int, lo: int) -> str:
    """Text of a 128-bit address pattern, as tshark writes it."""
    value = IPv6Address(((int(hi) & (2**64 - 1)) << 64) | (int(lo) & (2**64 - 1)))
    return str(value.ipv4_mapped or value)


@cache
def analyse(path: Path) -> Ours:
    """Read, decode and analyse a capture to its end, or as far as it can be read."""
    out, errors, fragments = new_packets(MAX_PACKETS), new_error_counters(), new_fragment_table()
    analysis, packets = Analysis(), 0
    try:
        with open_capture(path) as reader:
            for batch in reader:
                packets += batch.packets
                decode_batch(batch, out, errors, fragments)
                analysis.feed(out[: batch.packets])
    except CaptureError as error:
        if not error.partial:
            raise
    analysis.finish()
    taken = analysis.take_sessions()
    sessions = taken.rows if taken is not None else np.zeros(0)
    return Ours(sessions, tcp_sessions(sessions), analysis.take_seconds(), packets)


def tcp_sessions(sessions: np.ndarray) -> dict[Pair, list[Session]]:
    """The TCP sessions by pair of endpoints, whatever their VNI, in the order of their ends."""
    pairs: dict[Pair, list[Session]] = defaultdict(list)
    for row in sessions:
        if row["protocol"] == TCP:
            client = (address(row["client_hi"], row["client_lo"]), int(row["client_port"]))
            server = (address(row["server_hi"], row["server_lo"]), int(row["server_port"]))
            session = Session(client, server, row)
            pairs[session.pair].append(session)
    return dict(pairs)
