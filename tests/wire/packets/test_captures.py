"""Every real capture: what other programs counted in it, and what is said of the damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.captures import CAPTURES, needs_captures
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import ERRORS, TCP, new_error_counters, new_packets
from wire.packets.pcap import CaptureError, open_capture

FILES = sorted(CAPTURES.glob("*.pcap*")) if CAPTURES else []
# Frames that are beyond saving, by reason. Other captures have none: what tshark finds malformed there is payload.
MALFORMED = {
    "fuzzed-big-endian-sip.pcap": {
        "cut_header": 1,
        "bad_ip_version": 5,
        "bad_ip_header_length": 1,
        "bad_fragment": 10,
        "bad_tcp_header": 1,
        "bad_tcp_options": 2,
        "bad_udp_length": 25,
    }
}
DAMAGED = {
    "broken-record-length.pcap": (5035, "claims more than 262144 bytes"),
    "cut-short.pcap": (8877, "ends in the middle of a packet"),
}


class Totals:
    """One capture, read to its end."""

    def __init__(self, path: Path) -> None:
        self.sums: dict[str, Any] = dict.fromkeys(("packets", "frame_bytes", "captured_bytes", "ip_packets"), 0)
        self.sums.update(ip_bytes_inner=0, tcp_packets=0, payload_bytes=0)
        self.times: list[int] = []
        self.counters = new_error_counters()
        self.fault: CaptureError | None = None
        out, table = new_packets(4096), new_fragment_table()
        reader = open_capture(path)
        try:
            for batch in reader:
                count = decode_batch(batch, out, self.counters, table)
                self._add(out[:count])
                self.sums["frame_bytes"] += int(batch.wire_length.sum())
                self.sums["captured_bytes"] += int(batch.captured.sum())
                self.times += [int(batch.time_ns.min()), int(batch.time_ns.max())]
        except CaptureError as fault:
            self.fault = fault
        self.sums["packets"] += reader.other_records
        self.malformed = {name: int(n) for name, n in zip(ERRORS, self.counters, strict=True) if n}

    def _add(self, rows: np.ndarray) -> None:
        found = rows[rows["version"] != 0]
        segments = found[(found["protocol"] == TCP) & (found["complete"] == 1)]
        self.sums["packets"] += len(rows)
        self.sums["ip_packets"] += len(found)
        self.sums["ip_bytes_inner"] += int(found["ip_length"].sum())
        self.sums["tcp_packets"] += len(segments)
        self.sums["payload_bytes"] += int(segments["payload_length"].sum())


def oracle(path: Path) -> dict[str, Any]:
    totals = json.loads((path.parent / "oracle" / f"{path.name}.tshark.json").read_text())["totals"]
    totals["payload_bytes"] = totals["tcp"].get("payload_bytes", 0)
    return totals


def stamp(ns: int) -> str:
    return f"{ns // 10**9}.{ns % 10**9:09d}"


@needs_captures
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_counts_what_the_oracle_counts(path: Path) -> None:
    expected, found = oracle(path), Totals(path)
    compared = set(found.sums)
    if path.name == "pcapng-mixed-endian-sections.pcapng":
        compared -= {"frame_bytes", "captured_bytes"}  # tshark measures its three custom blocks too
    if path.name in MALFORMED:
        compared -= {"tcp_packets", "payload_bytes"}
    assert {name: found.sums[name] for name in compared} == {name: expected.get(name, 0) for name in compared}
    assert found.malformed == MALFORMED.get(path.name, {})
    assert stamp(min(found.times)) == expected["first_time"]
    assert stamp(max(found.times)) == expected["last_time"]


@needs_captures
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_says_where_a_file_is_damaged(path: Path) -> None:
    fault = Totals(path).fault
    if path.name not in DAMAGED:
        assert fault is None
        return
    offset, reason = DAMAGED[path.name]
    assert fault is not None
    assert fault.partial
    assert str(fault).startswith(f"{path}: offset {offset}: ")
    assert reason in str(fault)
