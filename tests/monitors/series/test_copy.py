"""What the binary COPY of an answer puts into the table: every value at its place, sorted by group then time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cstor.metrics.histogram import from_bytes, pack
from monitors.pulls.answer import ABSENT, Rows
from monitors.series import copy, partitions

pytestmark = pytest.mark.django_db
T = 1_760_004_000
SCALARS = ("bytes_client", "packets_client", "response_time_max")
HISTOGRAMS = ("connect_time", "response_time")


def stored(*answers: tuple[int, Rows]) -> list[tuple[Any, ...]]:
    """The rows as the table returns them after a COPY, in the order in which they lie there."""
    partitions.ensure(10, {T})
    scalars, histograms = copy.columns_of(rows for _, rows in answers)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM samples_10")
        names = ", ".join((*copy.KEY_COLUMNS, *scalars, *histograms))
        text = b"".join(copy.binary(answers, scalars, histograms, 7))
        cursor.copy_expert(f"COPY samples_10 ({names}) FROM STDIN WITH (FORMAT binary)", copy.Blocks([text]))
        cursor.execute(
            f"SELECT monitor_id, group_id, t, node_id, {', '.join((*SCALARS, *HISTOGRAMS))} FROM samples_10"
            " ORDER BY ctid"
        )
        found = cursor.fetchall()
    return [tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in found]


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def at(t: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(t, dt.UTC)


def test_it_writes_rows_sorted_by_group_and_time_with_all_their_values() -> None:
    one, two = pack([3, 9], [1, 2]), pack([1100], [2_000_000])
    rows = Rows(
        ints(T + 10, T, T),
        ints(5, 5, -(2**63) + 1),
        {"bytes_client": ints(2**63 - 1, ABSENT, 0), "packets_client": ints(1, 2**32, 4)},
        {"response_time": from_bytes([one, b"", two])},
        {},
    )
    assert stored((3, rows)) == [
        (3, -(2**63) + 1, at(T), 7, 0, 4, None, None, two),
        (3, 5, at(T), 7, None, 2**32, None, None, None),
        (3, 5, at(T + 10), 7, 2**63 - 1, 1, None, None, one),
    ]


def test_it_leaves_null_what_only_another_answer_has() -> None:
    cell = pack([1], [1])
    one = Rows(ints(T), ints(9), {"bytes_client": ints(1)}, {}, {})
    two = Rows(ints(T), ints(9), {"packets_client": ints(2)}, {"connect_time": from_bytes([cell])}, {})
    none = Rows(ints(), ints(), {}, {}, {})
    assert stored((1, one), (2, none), (3, two)) == [
        (1, 9, at(T), 7, 1, None, None, None, None),
        (3, 9, at(T), 7, None, 2, None, cell, None),
    ]


CELL = st.one_of(st.just(b""), st.lists(st.integers(0, 1100), min_size=1, max_size=5, unique=True).map(
    lambda bins: pack(sorted(bins), [1] * len(bins))
))  # fmt: skip
VALUE = st.one_of(st.just(ABSENT), st.integers(0, 2**63 - 1))
ROW = st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 8), st.tuples(VALUE, VALUE, VALUE), st.tuples(CELL, CELL))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=30, unique_by=lambda row: row[:2]))
def test_it_stores_what_it_was_given(given_rows: list[Any]) -> None:
    rows = Rows(
        ints(*(T + 10 * row[1] for row in given_rows)),
        ints(*(row[0] for row in given_rows)),
        {key: ints(*(row[2][n] for row in given_rows)) for n, key in enumerate(SCALARS)},
        {key: from_bytes([row[3][n] for row in given_rows]) for n, key in enumerate(HISTOGRAMS)},
        {},
    )
    wanted = [
        (1, group, at(T + 10 * t), 7, *(None if v == ABSENT else v for v in values), *(cell or None for cell in cells))
        for group, t, values, cells in sorted(given_rows, key=lambda row: row[:2])
    ]
    assert stored((1, rows)) == wanted
