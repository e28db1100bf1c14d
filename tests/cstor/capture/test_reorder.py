"""The reorder window gives packets back in order of time, and tells what it moved or mended."""

from __future__ import annotations

import random

import numpy as np

from cstor.capture.reorder import ReorderWindow
from wire.packets.layout import new_packets

MS = 1_000_000


def records(*times_ms: float) -> np.ndarray:
    out = new_packets(len(times_ms))
    out["time_ns"] = [int(t * MS) for t in times_ms]
    return out


def test_it_sorts_what_comes_within_the_window() -> None:
    window = ReorderWindow(5 * MS)
    window.add(records(1, 3, 2))
    window.add(records(2.5, 4))
    assert window.release(3 * MS)["time_ns"].tolist() == [1 * MS, 2 * MS, 2.5 * MS]
    assert window.moved == 2
    assert window.held == 2
    assert window.release(100 * MS)["time_ns"].tolist() == [3 * MS, 4 * MS]


def test_it_keeps_the_order_of_equal_times() -> None:
    window = ReorderWindow(5 * MS)
    packets = records(1, 1, 1)
    packets["seq"] = [7, 5, 6]
    window.add(packets)
    assert window.release(2 * MS)["seq"].tolist() == [7, 5, 6]
    assert window.moved == 0


def test_it_gives_wrong_times_that_of_the_arrival() -> None:
    window = ReorderWindow(5 * MS)
    now = 10_000 * MS
    times = np.array([now, now + 900 * MS, now + 1100 * MS, 5, now - 500 * MS])
    window.clamp(times, now, now - 1000 * MS)
    assert times.tolist() == [now, now + 900 * MS, now, now, now - 500 * MS]
    assert window.clamped == 2


def test_it_loses_nothing_and_is_sorted_for_any_order_of_arrival() -> None:
    chance = random.Random(5)
    times = [n + chance.uniform(0, 4) for n in range(2000)]
    window, out = ReorderWindow(5 * MS), []
    for start in range(0, len(times), 17):
        window.add(records(*times[start : start + 17]))
        out += window.release(int((start + 17 - 5) * MS))["time_ns"].tolist()
    out += window.release(1 << 62)["time_ns"].tolist()
    assert out == sorted(int(t * MS) for t in times)
