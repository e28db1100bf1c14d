"""Reads samples back as plain rows, for tests to compare."""

from __future__ import annotations

from typing import Any

from monitors.models import SAMPLES, Monitor


def rows(monitor: Monitor, step: int, *bases: str, **where: Any) -> list[tuple[Any, ...]]:
    """(t, group, node, bases...) in order; bytes as bytes."""
    found = SAMPLES[step].objects.filter(monitor_id=monitor.pk, **where).order_by("t", "group_id", "node_id")
    return [
        (int(row.t.timestamp()), row.group_id, row.node_id, *(_plain(getattr(row, base)) for base in bases))
        for row in found
    ]


def totals(monitor: Monitor, step: int, base: str = "bytes_client") -> dict[int, int]:
    """Sum over nodes of the total rows, by time."""
    out: dict[int, int] = {}
    for t, _, _, value in rows(monitor, step, base, group_id=0):
        out[t] = out.get(t, 0) + (value or 0)
    return out


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
