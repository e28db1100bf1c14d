"""Closed seconds and sessions in words, for tests of the store: `second(100, row(client, server, bytes_client=5))`."""

from __future__ import annotations

from typing import Any

import numpy as np

from cstor.buckets.second import BIN, CELL, CONVERSATION, DENSE, OUTCOMES, SESSION, ClosedSecond, SessionBatch
from cstor.metrics.histogram import bin_of
from cstor.metrics.registry import COUNTERS, HISTOGRAMS, SCALARS
from cstor.store import address

SCALAR_NUMBER = {base.key: number for number, base in enumerate(SCALARS)}
HISTOGRAM_NUMBER = {base.key: number for number, base in enumerate(HISTOGRAMS)}


def row(client: str, server: str, port: int = 443, protocol: int = 6, vni: int = -1, **values: Any) -> dict[str, Any]:
    """One conversation's second. Scalars by name; a histogram's name takes a list of durations in ns."""
    return {"client": client, "server": server, "port": port, "protocol": protocol, "vni": vni, **values}


def numbers(text: str) -> tuple[int, int]:
    packed = address.from_text(text)
    return int.from_bytes(packed[:8], "big", signed=True), int.from_bytes(packed[8:], "big", signed=True)


def second(t: int, *rows: dict[str, Any]) -> ClosedSecond:
    keys, dense = np.zeros(len(rows), CONVERSATION), np.zeros((len(rows), len(DENSE)), np.int64)
    cells: list[tuple[int, int, int]] = []
    bins: list[tuple[int, int, int, int]] = []
    for index, one in enumerate(rows):
        values = dict(one)
        set_keys(keys[index], values)
        keys[index]["is_other"] = values.pop("is_other", 0)
        for name, value in values.items():
            if name in HISTOGRAM_NUMBER:
                found = np.unique(bin_of(np.array(value)), return_counts=True)
                bins += [(index, HISTOGRAM_NUMBER[name], int(b), int(n)) for b, n in zip(*found, strict=True)]
                parts = {"count": len(value), "sum": sum(value), "min": min(value), "max": max(value)}
            else:
                parts = {"": value}
            for part, number in parts.items():
                key = f"{name}_{part}" if part else name
                if key in DENSE:
                    dense[index, DENSE.index(key)] = number
                else:
                    cells.append((index, SCALAR_NUMBER[key], number))
    return ClosedSecond(t, keys, dense, np.array(sorted(cells), CELL), np.array(sorted(bins), BIN))


def set_keys(into: np.void, values: dict[str, Any]) -> None:
    into["client_hi"], into["client_lo"] = numbers(values.pop("client"))
    into["server_hi"], into["server_lo"] = numbers(values.pop("server"))
    into["server_port"], into["protocol"] = values.pop("port"), values.pop("protocol")
    into["vni"], into["vlan"] = values.pop("vni"), values.pop("vlan", -1)
    into["is_copy"] = values.pop("is_copy", 0)


def sessions(*rows: dict[str, Any]) -> SessionBatch:
    """Sessions out of `row(...)` with start_ns, end_ns, client_port and outcome; a timing takes one duration in ns."""
    out = np.zeros(len(rows), SESSION)
    for index, one in enumerate(rows):
        values = dict(one)
        set_keys(out[index], values)
        for base in COUNTERS:
            out[index][base.key] = 0 if base.kind == "sum" else -1
        for base in HISTOGRAMS:
            for part in ("sum", "min", "max", "p50", "p95", "p99"):
                out[index][f"{base.key}_{part}"] = -1
        out[index]["outcome"] = OUTCOMES.index(values.pop("outcome", "closed"))
        out[index]["history"] = values.pop("history", "ShADadFf").encode()
        for name, value in values.items():
            if name in HISTOGRAM_NUMBER:
                out[index][f"{name}_count"] = 1
                for part in ("sum", "min", "max", "p50", "p95", "p99"):
                    out[index][f"{name}_{part}"] = value
            else:
                out[index][name] = value
    return SessionBatch(out)
