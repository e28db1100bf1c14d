"""The reorder window gives packets back in order of time, and tells what it moved or mended."""

from __future__ import annotations

import random

import numpy as np

from cstor.capture.reorder import ReorderWindow
from wire.packets.layout import MOVED, new_packets

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


def test_packets_may_be_put_into_its_room() -> None:
    window, packets = ReorderWindow(5 * MS), records(1, 3, 2)
    packets["seq"] = [10, 30, 20]
    for _ in range(2):  # the first was not kept
        window.room(3)[:] = packets
    window.take(packets["time_ns"])
    assert window.room(1)["time_ns"].tolist() == [0]
    assert window.release(100 * MS)["seq"].tolist() == [10, 20, 30]
    assert window.moved == 1


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


def test_it_marks_what_it_moved() -> None:
    window = ReorderWindow(5 * MS)
    window.add(records(1, 3, 2))
    assert window.release(100 * MS)["marks"].tolist() == [0, MOVED, 0]
    window.add(records(2.5, 4))
    assert window.release(100 * MS)["marks"].tolist() == [MOVED, 0]


def test_it_sorts_two_sockets_but_counts_nothing_as_moved() -> None:
    window = ReorderWindow(5 * MS)
    window.add(records(1, 2, 5), "one")
    window.add(records(1.5, 3), "other")
    out = window.release(100 * MS)
    assert out["time_ns"].tolist() == [1 * MS, 1.5 * MS, 2 * MS, 3 * MS, 5 * MS]
    assert window.moved == 0 and not out["marks"].any()


def test_it_leaves_the_order_of_arrival_when_it_is_off() -> None:
    window = ReorderWindow(0)
    window.add(records(3, 1, 2))
    assert window.release(0)["time_ns"].tolist() == [3 * MS, 1 * MS, 2 * MS]
    assert window.moved == window.held == 0


def test_it_holds_more_than_it_has_room_for() -> None:
    window, count = ReorderWindow(5 * MS), 0
    for turn in range(40):
        window.add(records(*[turn + n / 1000 for n in range(1000)]))
        if turn % 7 == 0:
            count += len(window.release((turn - 3) * MS))
    assert count + window.held == 40_000
    rest = window.release(1 << 62)["time_ns"]
    assert (rest[1:] > rest[:-1]).all() and rest[-1] == int(39.999 * MS)
