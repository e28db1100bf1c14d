"""Integers written by kernels read as JSON does, to the ends of their range."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cstor.store.digits import DIGITS, is_all, write_integers, write_pairs

INT64 = st.integers(-(2**63), 2**63 - 1)
ABSENT = -(2**63)


@given(st.lists(st.one_of(INT64, st.integers(-20, 20), st.sampled_from([2**63 - 1, ABSENT, 0, 10**18, -(10**18)]))))
@settings(deadline=None, max_examples=200)
def test_it_writes_every_integer_and_null(values: list[int]) -> None:
    out, column = np.zeros(DIGITS * len(values) + 1, np.uint8), np.array(values, np.int64)
    stop = write_integers(column, ABSENT, out, 0)
    found = json.loads(b"[" + out[: max(stop - 1, 0)].tobytes() + b"]")
    assert found == [None if value == ABSENT else value for value in values]
    assert is_all(column, ABSENT) == all(value == ABSENT for value in values)


def test_it_writes_the_least_integer() -> None:
    out = np.zeros(DIGITS + 1, np.uint8)
    stop = write_integers(np.array([-(2**63)]), 5, out, 0)
    assert out[:stop].tobytes() == b"-9223372036854775808,"


def test_it_writes_histograms_as_flat_lists() -> None:
    out = np.zeros(200, np.uint8)
    lengths, bins, counts = np.array([2, 0, 1]), np.array([0, 410, 7]), np.array([3, 1, 2_000_000])
    stop = write_pairs(lengths, bins, counts, out, 0)
    assert json.loads(b"[" + out[: stop - 1].tobytes() + b"]") == [[0, 3, 410, 1], None, [7, 2_000_000]]
