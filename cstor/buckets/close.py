"""Closing a second: the events of its rows are sorted, run-length coded and folded into cells and histogram bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cstor.buckets.columns import (
    ACK_RTT,
    CODES,
    COLUMN_ACK_RTT,
    COLUMN_MIN_WINDOW,
    COLUMN_TRUNCATED,
    HISTOGRAM_OF_TIMING,
    MIN_WINDOW_BYTES,
    SCALAR_OF_FACT,
    SCALAR_OF_TIMING,
    TIMING,
    TRUNCATED,
)
from cstor.buckets.second import BIN, CELL, DENSE, ClosedSecond
from cstor.metrics.histogram import LAST_BIN

Ints = NDArray[np.int64]
_BINS = LAST_BIN + 1


def close_second(t: int, keys: np.ndarray, dense: Ints, events: np.ndarray) -> ClosedSecond | None:
    """The second of these rows; None if nothing happened in it. Rows that saw nothing are left out."""
    row, code = events["row"].astype(np.int64), events["code"].astype(np.int64)
    used = dense[:, : len(DENSE)].any(axis=1)
    used[row] = True
    if not used.all():
        row = (np.cumsum(used) - 1)[row]
        keys, dense = keys[used], dense[used]
    if len(keys) == 0:
        return None
    order = np.argsort((row * CODES + code) * _BINS + events["bin"], kind="stable")
    row, code, bins, value = row[order], code[order], events["bin"][order], events["value"][order]
    runs = _starts(row * CODES + code)
    counted = code[runs] < TIMING
    cells = [_work_cells(dense)]
    if len(runs):
        totals = np.add.reduceat(value, runs)
        cells.append(_cells(row[runs][counted], SCALAR_OF_FACT[code[runs][counted]], totals[counted]))
        cells.extend(_timing_cells(row, code, value, runs, counted, totals, dense))
    out = np.concatenate(cells)
    out = out[np.lexsort((out["base"], out["row"]))]
    return ClosedSecond(t, keys, dense[:, : len(DENSE)].copy(), out, _bins(row, code, bins))


def _starts(key: NDArray[np.integer]) -> Ints:
    """Where runs of equal keys begin."""
    if len(key) == 0:
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.r_[True, key[1:] != key[:-1]])


def _cells(row: Ints, base: NDArray[np.int16], value: Ints) -> np.ndarray:
    cells = np.zeros(len(row), CELL)
    cells["row"], cells["base"], cells["value"] = row, base, value
    return cells


def _work_cells(dense: Ints) -> np.ndarray:
    """Counters that have a column of their own while the second is open, but are rare."""
    parts = []
    for fact, column, less in ((TRUNCATED, COLUMN_TRUNCATED, 0), (MIN_WINDOW_BYTES, COLUMN_MIN_WINDOW, 1)):
        for role in range(2):
            row = np.flatnonzero(dense[:, column + role])
            base = np.full(len(row), SCALAR_OF_FACT[fact + role])
            parts.append(_cells(row, base, dense[row, column + role] - less))
    return np.concatenate(parts)


def _timing_cells(
    row: Ints, code: Ints, value: Ints, runs: Ints, counted: NDArray[np.bool_], totals: Ints, dense: Ints
) -> list[np.ndarray]:
    """Count, sum, minimum and maximum of the timings; those of the ACK round trips go into the dense columns."""
    stop = np.r_[runs[1:], len(row)]
    parts = (stop - runs, totals, np.minimum.reduceat(value, runs), np.maximum.reduceat(value, runs))
    timing = code[runs] - TIMING
    is_ack = (timing == ACK_RTT) | (timing == ACK_RTT + 1)
    for role in range(2):
        chosen = timing == ACK_RTT + role
        for number, part in enumerate(parts):
            dense[row[runs][chosen], COLUMN_ACK_RTT + 4 * role + number] = part[chosen]
    chosen = ~counted & ~is_ack
    return [
        _cells(row[runs][chosen], SCALAR_OF_TIMING[timing[chosen], number], part[chosen])
        for number, part in enumerate(parts)
    ]


def _bins(row: Ints, code: Ints, bins: NDArray[np.int16]) -> np.ndarray:
    """Histograms, run-length coded."""
    chosen = np.flatnonzero(code >= TIMING)
    row, timing, bins = row[chosen], code[chosen] - TIMING, bins[chosen]
    starts = _starts((row * CODES + timing) * _BINS + bins)
    out = np.zeros(len(starts), BIN)
    out["row"], out["metric"], out["bin"] = row[starts], HISTOGRAM_OF_TIMING[timing[starts]], bins[starts]
    out["n"] = np.diff(np.r_[starts, len(row)])
    return out[np.lexsort((out["bin"], out["metric"], out["row"]))]
