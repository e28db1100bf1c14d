"""Our sessions of a capture beside tshark's streams, per pair of endpoints and direction.

tshark numbers streams by addresses and ports, without VLAN or VNI, and a stream may hold several sessions of ours (a
silence, a copy under another VNI): both are summed over the pair of endpoints, which loses nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import numpy as np

from cstor.flows.analysis import Analysis
from wire.packets.batch import MAX_PACKETS
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import TCP, new_error_counters, new_packets
from wire.packets.pcap import CaptureError, open_capture

# tshark's name: ours, by sender of the packet that is counted
CLASSES = {
    "retransmission": "retransmissions",
    "fast_retransmission": "fast_retransmissions",
    "spurious_retransmission": "spurious_retransmissions",
    "out_of_order": "out_of_order",
    "duplicate_ack": "duplicate_acks",
    "lost_segment": "gaps",
    "ack_lost_segment": "acked_unseen",
    "zero_window": "zero_windows",
    "zero_window_probe": "zero_window_probes",
    "window_full": "window_full",
    "keep_alive": "keep_alives",
    "packets": "packets",
    "payload_bytes": "payload_bytes",
    "fin": "fins",
    "rst": "resets",
}
End = tuple[str, int]


@dataclass
class Pair:
    """What was counted between two endpoints; counters by (sender, tshark's name)."""

    counts: Counter[tuple[End, str]] = field(default_factory=Counter)
    round_trips_ns: list[int] = field(default_factory=list)
    ack_rtts: Counter[End] = field(default_factory=Counter)
    streams: int = 0


@dataclass
class Ours:
    """One capture analysed."""

    pairs: dict[frozenset[End], Pair]
    analysis: Analysis
    sessions: np.ndarray
    seconds: list
    errors: np.ndarray
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
    seconds, batches = [], []
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
    seconds += analysis.take_seconds()
    taken = analysis.take_sessions()
    if taken is not None:
        batches.append(taken.rows)
    sessions = np.concatenate(batches) if batches else np.zeros(0)
    return Ours(pairs_of(sessions), analysis, sessions, seconds, errors, packets)


def pairs_of(sessions: np.ndarray) -> dict[frozenset[End], Pair]:
    """TCP sessions summed per pair of endpoints."""
    pairs: dict[frozenset[End], Pair] = defaultdict(Pair)
    for row in sessions:
        if row["protocol"] != TCP:
            continue
        ends = {
            "client": (address(row["client_hi"], row["client_lo"]), int(row["client_port"])),
            "server": (address(row["server_hi"], row["server_lo"]), int(row["server_port"])),
        }
        pair = pairs[frozenset(ends.values())]
        pair.streams += 1
        for side, end in ends.items():
            for theirs, ours in CLASSES.items():
                pair.counts[end, theirs] += int(row[f"{ours}_{side}"])
            pair.ack_rtts[end] += int(row[f"ack_rtt_{side}_count"])
        pair.counts[ends["client"], "syn"] += int(row["syns"])
        pair.counts[ends["server"], "syn_ack"] += int(row["syn_acks"])
        if row["handshake_rtt_count"]:
            pair.round_trips_ns.append((int(row["start_ns"]), int(row["handshake_rtt_sum"])))
    for pair in pairs.values():
        pair.round_trips_ns = [value for _, value in sorted(pair.round_trips_ns)]
    return dict(pairs)


def oracle(captures: Path, name: str) -> dict:
    """tshark's answers about a capture."""
    return json.loads((captures / "oracle" / f"{name}.tshark.json").read_text())


def tshark_pairs(answers: dict) -> dict[frozenset[End], Pair]:
    """tshark's streams summed per pair of endpoints, in the order of the streams."""
    pairs: dict[frozenset[End], Pair] = defaultdict(Pair)
    for stream in sorted(answers["streams"], key=lambda stream: stream["stream"]):
        ends = {way: _end(stream[name]) for way, name in (("ab", "a"), ("ba", "b"))}
        pair = pairs[frozenset(ends.values())]
        pair.streams += 1
        for way, end in ends.items():
            for theirs in (*CLASSES, "syn", "syn_ack"):
                pair.counts[end, theirs] += stream[way].get(theirs, 0)
            pair.ack_rtts[end] += stream[way].get("ack_rtt", {}).get("n", 0)
        if stream["initial_rtt"] is not None:
            pair.round_trips_ns.append(round(stream["initial_rtt"] * 1e9))
    return dict(pairs)


def _end(text: str) -> End:
    host, _, port = text.rpartition("|")
    return str(ip_address(host)), int(port)
