"""A session as people and programs read it: one JSON object, or one row of CSV.

Times of the day are epoch seconds with all nine digits (a float would lose the last two), durations are seconds. What
was not measured is null; a counter of nothing is 0.
"""

from __future__ import annotations

import json
from typing import Any

from cstor.metrics.registry import COUNTERS, HISTOGRAMS
from cstor.store.layout import SECOND_NS

KEYS = ("client_ip", "client_port", "server_ip", "server_port", "protocol", "vlan", "vni")
# Timings of which a connection has one sample.
SINGLE = ("handshake_rtt_client", "handshake_rtt_server", "connect_time", "session_duration")
STATS = ("count", "min", "mean", "p50", "p95", "p99", "max")


def session_line(row: dict[str, Any]) -> str:
    """One JSON object without a line end."""
    keys = json.dumps({key: row[key] for key in KEYS})
    rest = json.dumps({"role_guessed": row["role_guessed"], "is_copy": row["is_copy"]} | measured(row))
    times = f'"start": {seconds_text(row["start_ns"])}, "end": {seconds_text(row["end_ns"])}'
    return f"{keys[:-1]}, {times}, {rest[1:]}"


def measured(row: dict[str, Any]) -> dict[str, Any]:
    """Outcome, history, counters and timings of a session."""
    out: dict[str, Any] = {"outcome": row["outcome"], "history": row["history"]}
    for base in COUNTERS:
        value = row.get(base.key)
        out[base.key] = 0 if value is None and base.kind == "sum" else value
    for base in HISTOGRAMS:
        out[base.key] = _timing(row, base.key)
    return out


def _timing(row: dict[str, Any], key: str) -> Any:
    count = row.get(f"{key}_count")
    if not count:
        return None
    if key in SINGLE:
        return row[f"{key}_max"] / SECOND_NS
    stats = {part: _seconds(row.get(f"{key}_{part}")) for part in ("min", "p50", "p95", "p99", "max")}
    values = {"count": count, "mean": row[f"{key}_sum"] / count / SECOND_NS, **stats}
    return {name: values[name] for name in STATS}


def _seconds(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / SECOND_NS


def seconds_text(time_ns: int) -> str:
    """Epoch seconds with nanoseconds, exactly."""
    return f"{time_ns // SECOND_NS}.{time_ns % SECOND_NS:09d}"


def csv_header() -> list[str]:
    """Column names of `csv_row`: timings with several statistics take a column each."""
    names = [*KEYS, "start", "end", "role_guessed", "is_copy", "outcome", "history", *(base.key for base in COUNTERS)]
    for base in HISTOGRAMS:
        names += [base.key] if base.key in SINGLE else [f"{base.key}_{stat}" for stat in STATS]
    return names


def csv_row(row: dict[str, Any]) -> list[Any]:
    """One session's values; empty where nothing was measured."""
    out: list[Any] = [row[key] for key in KEYS]
    out += [seconds_text(row["start_ns"]), seconds_text(row["end_ns"]), int(row["role_guessed"]), int(row["is_copy"])]
    for name, value in measured(row).items():
        if name in _TIMINGS and name not in SINGLE:
            out += [value[stat] if value else None for stat in STATS]
        else:
            out.append(value)
    return out


_TIMINGS = {base.key for base in HISTOGRAMS}
