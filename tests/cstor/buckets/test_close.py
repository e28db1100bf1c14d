"""Folding a second against sums made in Python."""

from __future__ import annotations

import numpy as np
import pytest

from cstor.buckets.arena import CODE_SHIFT, ROW_SHIFT, move_events
from cstor.buckets.close import Closer
from cstor.buckets.columns import COLUMN_PACKETS, COLUMNS, FACTS, TIMING, TIMINGS
from cstor.buckets.second import CONVERSATION, DENSE
from cstor.flows.ledger import bin_of
from cstor.metrics import histogram
from cstor.metrics.registry import HISTOGRAMS, SCALARS

SCALAR = {base.key: number for number, base in enumerate(SCALARS)}


def some_second(seed: int, rows: int, events: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    keys, dense = np.zeros(rows, CONVERSATION), np.zeros((rows, COLUMNS), np.int64)
    keys["server_port"] = np.arange(rows)
    dense[:, COLUMN_PACKETS] = 1
    made = np.zeros((events, 3), np.int64)  # code, row, value
    made[:, 0] = rng.integers(0, TIMING + len(TIMINGS), events)
    made[:, 1] = rng.integers(0, rows, events)
    made[:, 2] = rng.integers(0, 10**7, events) * rng.choice([1, 1, 1, 10**5], events)
    return keys, dense, made


def words(made: np.ndarray) -> np.ndarray:
    """Code, row and value of each as the arena has them."""
    return np.array([word for code, row, value in made.tolist() for word in packed(code, row, value)], np.int64)


def packed(code: int, row: int, value: int) -> tuple[int, ...]:
    fits = 0 <= value < 0xFFFFFFFF
    head = code << CODE_SHIFT | row << ROW_SHIFT
    return (head | value,) if fits else (head | 0xFFFFFFFF, value)


@pytest.mark.parametrize(("seed", "rows", "events"), [(1, 5, 40), (2, 1, 500), (3, 300, 20_000), (4, 7, 0)])
def test_it_folds_what_python_adds_up(seed: int, rows: int, events: int) -> None:
    keys, dense, made = some_second(seed, rows, events)
    closed = Closer().close(9, keys, dense, words(made))
    assert closed is not None
    cells = {(int(cell["row"]), SCALARS[cell["base"]].key): int(cell["value"]) for cell in closed.cells}
    bins = {(int(one["row"]), HISTOGRAMS[one["metric"]].key, int(one["bin"])): int(one["n"]) for one in closed.bins}
    expected_cells, expected_bins = {}, {}
    for row in range(rows):
        for code in range(TIMING + len(TIMINGS)):
            values = made[(made[:, 1] == row) & (made[:, 0] == code), 2]
            if not len(values):
                continue
            if code < TIMING:
                expected_cells[row, FACTS[code]] = int(values.sum())
                continue
            name = TIMINGS[code - TIMING]
            for bin, n in zip(*np.unique(histogram.bin_of(values), return_counts=True), strict=True):
                expected_bins[row, name, int(bin)] = int(n)
            parts = {"count": len(values), "sum": values.sum(), "min": values.min(), "max": values.max()}
            for part, value in parts.items():
                if f"{name}_{part}" in DENSE:
                    assert closed.dense[row, DENSE.index(f"{name}_{part}")] == value
                else:
                    expected_cells[row, f"{name}_{part}"] = int(value)
    assert cells == expected_cells
    assert bins == expected_bins


def test_it_sorts_cells_and_bins_by_the_registry() -> None:
    keys, dense, made = some_second(5, 50, 3000)
    closed = Closer().close(9, keys, dense, words(made))
    cells, bins = closed.cells, closed.bins
    assert np.array_equal(np.lexsort((cells["base"], cells["row"])), np.arange(len(cells)))
    assert np.array_equal(np.lexsort((bins["bin"], bins["metric"], bins["row"])), np.arange(len(bins)))


def test_it_leaves_out_rows_that_saw_nothing() -> None:
    keys, dense, _ = some_second(6, 4, 0)
    dense[[0, 2]] = 0
    one = words(np.array([[FACTS.index("timed_out"), 2, 1]]))
    closed = Closer().close(9, keys, dense, one)
    assert list(closed.keys["server_port"]) == [1, 2, 3]
    assert [(int(cell["row"]), SCALARS[cell["base"]].key) for cell in closed.cells] == [(1, "timed_out")]
    assert Closer().close(9, keys[:1], dense[:1] * 0, one[:0]) is None


def test_events_move_to_other_rows_with_their_values() -> None:
    large = [0xFFFFFFFE, 0xFFFFFFFF, 1 << 32, 1 << 62, -5]
    made = np.array([[7, 3 + number % 3, value] for number, value in enumerate([*large, 0, 1])])
    there = np.zeros(100, np.int64)
    used = move_events(words(made), np.array([-1, -1, -1, 9, -1, 0]), there)
    kept = made[made[:, 1] != 4]
    kept[:, 1] = np.where(kept[:, 1] == 3, 9, 0)
    assert there[:used].tolist() == words(kept).tolist()


def test_its_bins_are_those_of_the_codec() -> None:
    durations = np.unique(np.r_[0, 1, 999, 1000, 1001, np.geomspace(1, 10**14, 5000).astype(np.int64)])
    assert [bin_of(int(duration)) for duration in durations] == histogram.bin_of(durations).tolist()
