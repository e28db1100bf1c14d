"""Made-up seconds of a busy node, and the calls that monitors and pages make of it: what bench.series measures with."""

from __future__ import annotations

from typing import Any

import numpy as np

from cstor.buckets.second import BIN, CELL, CONVERSATION, DENSE, ClosedSecond
from cstor.metrics.registry import HISTOGRAMS, SCALARS

PORTS = np.array([443, 80, 53, 5432, 6379, 9092, 22, 8080])
V4 = 0xFFFF << 32
METRICS = ["throughput", "network_latency", "server_latency", "retransmission_percent", "failure_percent"]
_SCALAR = {base.key: number for number, base in enumerate(SCALARS)}
_HISTOGRAM = {base.key: number for number, base in enumerate(HISTOGRAMS)}
_TIMED = ("response_time", "handshake_rtt", "handshake_rtt_client", "handshake_rtt_server", "connect_time")
_RARE = (
    "retransmissions_client",
    "retransmissions_server",
    "syns",
    "attempts",
    "established",
    "refused",
    "gaps_server",
)


class Traffic:
    """Conversations of which some speak each second, few of them much: client networks, servers by port."""

    def __init__(self, rows: int, conversations: int, seed: int = 7) -> None:
        self._chance = np.random.default_rng(seed)
        self._rows = rows
        chance = self._chance
        keys = self._keys = np.zeros(conversations, CONVERSATION)
        keys["client_lo"] = V4 | (10 << 24) | chance.integers(0, 1 << 14, conversations)
        keys["server_lo"] = V4 | (10 << 24) | (9 << 16) | chance.integers(0, 400, conversations)
        keys["server_port"] = PORTS[np.minimum(chance.geometric(0.35, conversations) - 1, len(PORTS) - 1)]
        keys["protocol"] = np.where(keys["server_port"] == 53, 17, 6)
        keys["vni"] = chance.integers(100, 116, conversations)
        keys["vlan"] = -1
        self._weight = 1e4 / np.arange(1, conversations + 1) ** 0.7

    def second(self, t: int) -> ClosedSecond:
        chance, rows = self._chance, self._rows
        chosen = chance.permutation(len(self._keys))[:rows]
        dense = np.zeros((rows, len(DENSE)), np.int64)
        packets = 1 + (self._weight[chosen, None] * chance.random((rows, 8)) * 0.01).astype(np.int64)
        dense[:, :8] = packets * chance.integers(40, 1400, (rows, 8))
        dense[:, 8:13] = chance.integers(1, 1500, (rows, 5))
        timed = chance.random(rows) < 0.5
        for first in (DENSE.index("ack_rtt_client_count"), DENSE.index("ack_rtt_server_count")):
            dense[timed, first] = 1
            dense[timed, first + 1 : first + 4] = chance.integers(10**5, 10**8, (timed.sum(), 1))
        cells = [self._cells(name, 0.05) for name in _RARE]
        bins = [self._bins(f"ack_rtt_{side}", np.flatnonzero(timed)) for side in ("client", "server")]
        for name in _TIMED:
            owners = np.flatnonzero(chance.random(rows) < 0.08)
            cells += [self._cells(f"{name}_{part}", owners) for part in ("count", "sum", "min", "max")]
            bins.append(self._bins(name, owners))
        return ClosedSecond(t, self._keys[chosen], dense, _sorted(cells, "base"), _sorted(bins, "metric"))

    def _cells(self, name: str, owners: Any) -> np.ndarray:
        if isinstance(owners, float):
            owners = np.flatnonzero(self._chance.random(self._rows) < owners)
        out = np.zeros(len(owners), CELL)
        out["row"], out["base"], out["value"] = owners, _SCALAR[name], self._chance.integers(1, 10**7, len(owners))
        return out

    def _bins(self, name: str, owners: np.ndarray) -> np.ndarray:
        out = np.zeros(len(owners), BIN)
        out["row"], out["metric"], out["n"] = owners, _HISTOGRAM[name], 1
        out["bin"] = np.clip(self._chance.normal(400, 60, len(owners)), 1, 1000)
        return out


def _sorted(parts: list[np.ndarray], number: str) -> np.ndarray:
    table = np.concatenate(parts)
    return table[np.lexsort((table[number], table["row"]))]


def monitor_calls() -> list[dict[str, Any]]:
    """As the console pulls its monitors: all bases, ten-second buckets, the top 50 of each ranking, totals."""
    filters = ["", "server port 443", "server port 53", "net 10.0.3.0/24", "host 10.9.0.7", "client net 10.0.0.0/20"]
    filters += [f"host 10.9.0.{n}" for n in range(20, 34)] + [f"client net 10.0.{n}.0/24" for n in range(10, 16)]
    keys = [["server_port"], ["client_ip", "server_ip"], ["server_ip", "server_port"], []]
    ranked = {"limit": 50, "totals": True, "encoding": "packed", "step": 10}
    return [{"filter": text, "by": keys[number % 4], **ranked} for number, text in enumerate(filters)]


def page_calls() -> list[dict[str, Any]]:
    """As a page or a script asks: some metrics second by second."""
    filters = ["", "server port 443", "server port 80", "tcp", "net 10.9.0.0/24", "host 10.9.1.17", "vni 107"]
    filters += [f"server host 10.9.0.{n}" for n in range(60, 74)] + [f"net 10.0.{n}.0/24" for n in range(30, 36)]
    keys = [[], ["server_port"], ["client_ip", "server_ip"]]
    return [
        {"filter": text, "by": keys[number % 3], "metrics": METRICS, "step": 1, "limit": 20}
        for number, text in enumerate(filters)
    ]
