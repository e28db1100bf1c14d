"""Files of our own encoder, read back by DuckDB."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from cstor.store import parquet_file
from cstor.store.parquet_file import Column, ParquetFile, present, words_of

ENDS = [-(2**63), 2**63 - 1, 0, -1, 1, 2**32, -(2**31)]


def read_back(path: Path) -> list[tuple[Any, ...]]:
    return duckdb.connect().execute(f"SELECT * FROM read_parquet('{path}')").fetchall()


def numbers(chance: random.Random, count: int) -> list[int]:
    """Stretches of equal, rising, small, large and extreme numbers."""
    found: list[int] = []
    while len(found) < count:
        length = chance.choice([1, 2, 7, 8, 9, 31, 32, 33, 127, 128, 129, 400])
        bits = chance.choice([1, 5, 31, 32, 33, 47, 62])
        start = chance.getrandbits(bits)
        makers = [
            lambda index, start=start: start,
            lambda index, start=start: start + index,
            lambda index, bits=bits: chance.getrandbits(bits) * chance.choice([1, -1]),
            lambda index: chance.choice(ENDS),
        ]
        maker = chance.choice(makers)
        found += [maker(index) for index in range(length)]
    return found[:count]


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 130, 5000])
def test_every_kind_comes_back(tmp_path: Path, count: int) -> None:
    chance = random.Random(count)
    for _ in range(5):
        longs = np.array(numbers(chance, count), np.int64)
        ints = np.array([number % 2**32 - 2**31 for number in numbers(chance, count)], np.int32)
        shorts = (ints >> 16).astype(np.int16)
        truths = ints % 3 == 0
        words = [bytes([n % 256, n // 256]) * (n % 5) for n in range(chance.choice([1, 2, 3, 300]))]
        index = np.abs(longs // 3) % len(words)
        columns = [
            Column("l", "i64", longs),
            Column("i", "i32", ints),
            Column("s", "i16", shorts),
            Column("b", "bool", truths),
            Column("w", "blob", index, None, words_of(words)),
        ]
        ParquetFile().write(tmp_path / "a.parquet", count, columns, {"k": "v"})
        expected = [longs.tolist(), ints.tolist(), shorts.tolist(), truths.tolist(), [words[i] for i in index.tolist()]]
        assert read_back(tmp_path / "a.parquet") == list(zip(*expected, strict=True))


def test_values_that_are_absent_are_null(tmp_path: Path) -> None:
    chance = random.Random(7)
    for share in (0.0, 0.001, 0.1, 0.5, 0.9, 0.999, 1.0):
        for count in (1, 8, 9, 64, 3000, 70_000):
            values = np.array([-1 if chance.random() < share else chance.getrandbits(20) for _ in range(count)])
            values[count // 3 : count // 2] = -1
            values[count // 2 : 2 * count // 3] = 5
            path = tmp_path / "a.parquet"
            ParquetFile().write(path, count, [present("v", "i64", values, -1)], {})
            assert [row[0] for row in read_back(path)] == [None if v == -1 else v for v in values.tolist()]


def test_row_groups_are_cut_from_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "ROW_GROUP", 100)
    values = np.arange(1050) % 7
    words = words_of([b"one", b"two", b"", b"four", b"x", b"y", b"z"])
    columns = [
        Column("a", "i64", values),
        present("b", "i32", values, 3),
        Column("c", "text", values[values != 2], np.flatnonzero(values != 2), words),
    ]
    ParquetFile().write(tmp_path / "a.parquet", len(values), iter(columns), {})
    texts = ["one", "two", None, "four", "x", "y", "z"]
    expected = [(v, None if v == 3 else v, texts[v]) for v in values.tolist()]
    assert read_back(tmp_path / "a.parquet") == expected
    groups = duckdb.connect().execute(f"SELECT max(row_group_id) FROM parquet_metadata('{tmp_path}/a.parquet')")
    assert groups.fetchall() == [(10,)]


def test_readers_pass_over_what_the_statistics_exclude(tmp_path: Path) -> None:
    columns = [
        Column("t", "i64", np.arange(50, 60)),
        Column("w", "blob", np.zeros(10, np.int64), None, words_of([b"x"])),
    ]
    ParquetFile().write(tmp_path / "a.parquet", 10, columns, {"cclear_format": "1"})
    connection = duckdb.connect()
    found = connection.execute(
        f"SELECT stats_min_value, stats_max_value, stats_null_count FROM parquet_metadata('{tmp_path}/a.parquet')"
    ).fetchall()
    assert found[0] == ("50", "59", 0)
    metadata = connection.execute(f"SELECT key, value FROM parquet_kv_metadata('{tmp_path}/a.parquet')").fetchall()
    assert metadata == [(b"cclear_format", b"1")]


def test_a_file_without_rows_is_a_file(tmp_path: Path) -> None:
    ParquetFile().write(tmp_path / "a.parquet", 0, [Column("t", "i64", np.zeros(0, np.int64))], {})
    assert read_back(tmp_path / "a.parquet") == []
