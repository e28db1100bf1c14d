"""Ground truth: what a passive observer must find in the lab's traffic, from the times packets were really sent.

The rules are those of METRICS.md for handshake and response time, applied to each conversation at each mirrored
interface. Samples are kept as they are, in slices of ten seconds, so that exact percentiles of any range of whole
slices can be told (`window`). A sample belongs to the slice of the packet that completes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lab.events import SECOND
from lab.tcp.segment import ACK, CLIENT, RST, SERVER, SYN, Segment

SLICE_S = 10
GRACE_S = 3
TIMINGS = ("handshake_rtt_server", "handshake_rtt_client", "handshake_rtt", "response_time")
COUNTS = ("attempts", "established", "refused", "unreachable", "client_aborted", "turns_ambiguous")
PERCENTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


class Row(NamedTuple):
    """What samples are kept apart by: a service as one mirrored interface sees it."""

    tier: str
    server_ip: str
    server_port: int
    vni: int
    is_copy: bool


class Truth:
    """Collects samples per row; `keep` is given each closed slice, a plain dictionary.

    A slice stays open for a while after its end, since a handshake is sampled when it is over but belongs to the time
    of its SYN-ACK.
    """

    def __init__(self, keep: Callable[[dict[str, Any]], None]) -> None:
        self._keep = keep
        self._open: dict[int, dict[Row, dict[str, Any]]] = {}
        self._closed_to_s = 0

    def cell(self, row: Row, time_ns: int) -> dict[str, Any]:
        """Where to put what `row` completes at `time_ns`."""
        start_s = max(time_ns // SECOND // SLICE_S * SLICE_S, self._closed_to_s)
        rows = self._open.get(start_s)
        if rows is None:
            self.close_before(time_ns)
            rows = self._open[start_s] = {}
        cell = rows.get(row)
        if cell is None:
            cell = rows[row] = {name: [] for name in TIMINGS} | dict.fromkeys(COUNTS, 0)
        return cell

    def close_before(self, time_ns: int) -> None:
        """Close the slices that ended some time before `time_ns`."""
        for start_s in [start_s for start_s in self._open if (start_s + SLICE_S + GRACE_S) * SECOND <= time_ns]:
            self._close(start_s)

    def finish(self) -> None:
        """Close what is open, whole or not."""
        for start_s in list(self._open):
            self._close(start_s)

    def _close(self, start_s: int) -> None:
        self._closed_to_s = start_s + SLICE_S
        cells = self._open.pop(start_s)
        rows = [row._asdict() | {key: value for key, value in cell.items() if value} for row, cell in cells.items()]
        self._keep({"from": start_s, "to": start_s + SLICE_S, "rows": rows})


class FlowTruth:
    """The state of one connection at one mirrored interface."""

    __slots__ = (
        "_is_decided",
        "_is_request",
        "_is_valid",
        "_next",
        "_request_end_at",
        "_row",
        "_syn_ack_at",
        "_syn_acks",
        "_syn_at",
        "_syns",
        "_truth",
    )  # fmt: skip

    def __init__(self, truth: Truth, row: Row) -> None:
        self._truth = truth
        self._row = row
        self._syns = self._syn_acks = 0
        self._syn_at = self._syn_ack_at = 0
        self._is_decided = False
        self._next = [1, 1]
        self._is_request = False
        self._is_valid = False
        self._request_end_at = 0

    def observe(self, segment: Segment, time_ns: int) -> None:
        """Take a segment as it passes the interface."""
        if not self._is_decided:
            self._observe_handshake(segment, time_ns)
        if segment.length and segment.seq >= self._next[segment.side]:
            self._observe_payload(segment, time_ns)
        # Also by a segment without payload: what comes below it later is a resend of something lost before.
        self._next[segment.side] = max(self._next[segment.side], segment.seq + segment.length)

    def _observe_handshake(self, segment: Segment, time_ns: int) -> None:
        flags = segment.flags
        if segment.is_error:
            self._decide("unreachable", time_ns)
        elif flags & SYN:
            self._observe_syn(segment, time_ns)
        elif flags & RST:
            if segment.side == CLIENT:
                self._decide("client_aborted", time_ns)
                self._add_server_rtt()
            elif not self._syn_acks:
                self._decide("refused", time_ns)
        elif flags & ACK and (segment.side == CLIENT or segment.length):
            self._decide("established", time_ns)
            has_server_rtt = self._add_server_rtt()
            if segment.side == CLIENT and segment.ack == 1 and self._syn_acks == 1:
                cell = self._truth.cell(self._row, time_ns)
                cell["handshake_rtt_client"].append(time_ns - self._syn_ack_at)
                if has_server_rtt:
                    cell["handshake_rtt"].append(time_ns - self._syn_at)

    def _observe_syn(self, segment: Segment, time_ns: int) -> None:
        if segment.side == CLIENT:
            self._syns += 1
            self._syn_at = time_ns
            if self._syns == 1:
                self._truth.cell(self._row, time_ns)["attempts"] += 1
            return
        self._syn_acks += 1
        self._syn_ack_at = time_ns

    def _add_server_rtt(self) -> bool:
        """The handshake is over: only now it is known that SYN and SYN-ACK were each seen once (Karn)."""
        if self._syns != 1 or self._syn_acks != 1:
            return False
        cell = self._truth.cell(self._row, self._syn_ack_at)
        cell["handshake_rtt_server"].append(self._syn_ack_at - self._syn_at)
        return True

    def _decide(self, verdict: str, time_ns: int) -> None:
        self._is_decided = True
        self._truth.cell(self._row, time_ns)[verdict] += 1

    def _observe_payload(self, segment: Segment, time_ns: int) -> None:
        """Take payload that lies beyond everything seen of its direction."""
        if segment.side == CLIENT:
            if not self._is_request:
                self._is_request = True
                self._is_valid = segment.ack >= self._next[SERVER]
            self._request_end_at = time_ns
        elif self._is_request:
            self._is_request = False
            cell = self._truth.cell(self._row, time_ns)
            if self._is_valid and segment.ack >= self._next[CLIENT]:
                cell["response_time"].append(time_ns - self._request_end_at)
            else:
                cell["turns_ambiguous"] += 1


def summary(samples: list[int]) -> dict[str, float | int | None]:
    """Number and exact percentiles (the sample of rank floor(q (n - 1))) in seconds of samples in nanoseconds."""
    ordered = sorted(samples)
    told: dict[str, float | int | None] = {"n": len(ordered)}
    for name, share in PERCENTILES.items():
        told[name] = ordered[math.floor(share * (len(ordered) - 1))] / SECOND if ordered else None
    return told


def summarize(slices: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Percentiles and counts per service, per tier, per copy and in total, over whole slices."""
    services: dict[tuple[Any, ...], dict[str, Any]] = {}
    tiers: dict[tuple[Any, ...], dict[str, Any]] = {}
    copies: dict[tuple[Any, ...], dict[str, Any]] = {}
    total: dict[tuple[Any, ...], dict[str, Any]] = {}
    used = list(slices)
    for row in (row for part in used for row in part["rows"]):
        service = (row["tier"], row["server_ip"], row["server_port"])
        if row["is_copy"]:
            _add(copies, service, row)
            continue
        _add(services, service, row)
        _add(tiers, (row["tier"],), row)
        _add(total, (), row)
    return {
        "from": min((part["from"] for part in used), default=None),
        "to": max((part["to"] for part in used), default=None),
        "services": [_told(key, group) for key, group in services.items()],
        "tiers": [_told(key, group) for key, group in tiers.items()],
        "copies": [_told(key, group) for key, group in copies.items()],
        "total": next((_told(key, group) for key, group in total.items()), {}),
    }


def window(document: dict[str, Any], from_s: float, to_s: float) -> dict[str, Any]:
    """The truth of [from_s, to_s), of the slices that lie in it as a whole; `from` and `to` say what was covered."""
    return summarize(part for part in document["slices"] if part["from"] >= from_s and part["to"] <= to_s)


def _add(groups: dict[tuple[Any, ...], dict[str, Any]], key: tuple[Any, ...], row: dict[str, Any]) -> None:
    group = groups.setdefault(key, {"vnis": set()} | {name: [] for name in TIMINGS} | dict.fromkeys(COUNTS, 0))
    group["vnis"].add(row["vni"])
    for name in TIMINGS:
        group[name].extend(row.get(name, ()))
    for name in COUNTS:
        group[name] += row.get(name, 0)


def _told(key: tuple[Any, ...], group: dict[str, Any]) -> dict[str, Any]:
    names = dict(zip(("name", "server_ip", "server_port"), key, strict=False))
    vnis = sorted(group["vnis"])
    return (
        names
        | {"vnis": vnis, "vni": vnis[0] if len(vnis) == 1 else None}
        | {name: summary(group[name]) for name in TIMINGS}
        | {name: group[name] for name in COUNTS}
    )
