"""Links and node counters on disk: logged at once, published by rename, recovered after a kill, each row once."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from cstor.buckets.points import POINT
from cstor.store.layout import LIVE, open_store
from cstor.store.node_rows import NODE, node_rows
from cstor.store.recover import recover
from cstor.store.sequence import Sequence
from cstor.store.tables import read_table_log, table_logs
from cstor.store.writer import StoreWriter

T = 1_700_000_400


def points(*rows: tuple[int, int, int]) -> np.ndarray:
    """(t, vni, bytes) each."""
    out = np.zeros(len(rows), POINT)
    for one, (t, vni, size) in zip(out, rows, strict=True):
        one["t"], one["vni"], one["packets"], one["bytes"], one["link_burst_bytes"] = t, vni, 1, size, size
    return out


def stored(root: Path, dataset: str) -> list[tuple]:
    files = [str(path) for path in sorted((root / dataset).glob("**/*.parquet"))]
    order = "t, vni" if dataset == "points" else "t, name, source"
    return duckdb.sql(f"SELECT * FROM read_parquet({files}, hive_partitioning = false) ORDER BY {order}").fetchall()


def test_it_publishes_rows_that_any_engine_reads(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=True)
    writer.tables.add("points", points((T + 1, 7, 100), (T, -1, 50)))
    rows = [("eth0", "main", "packets", "", 5), ("", "", "drops", "ring", 2), ("", "", "drops", "disk", 0)]
    writer.tables.add("node", node_rows(T, [*rows, ("", "", "lag", "", 0)]))
    writer.close()
    assert stored(tmp_path, "points") == [
        (T, None, False, 1, 50, 50, None, None),
        (T + 1, 7, False, 1, 100, 100, None, None),
    ]
    assert stored(tmp_path, "node") == [
        (T, None, None, "drops", "ring", 2),
        (T, None, None, "lag", None, 0),  # a level of 0 is a level; a counter that did not move is left out
        (T, "eth0", "main", "packets", None, 5),
    ]
    assert not list((tmp_path / LIVE).glob("*.log"))


def test_it_files_rows_by_their_hour(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=False)
    writer.tables.add("points", points((T, 1, 1), (T + 3600, 1, 2), (T + 1, 1, 4)))
    writer.close()
    names = sorted(path.relative_to(tmp_path / "points").as_posix() for path in (tmp_path / "points").glob("**/*.p*"))
    assert [name.split("/")[1] for name in names] == ["hour=22", "hour=23"]
    assert f"{T}-{T + 2}-L0-" in names[0]


@pytest.mark.parametrize("published", [False, True], ids=["in the log", "published already"])
def test_it_recovers_what_a_killed_writer_left(tmp_path: Path, published: bool) -> None:
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=True)
    writer.tables.add("points", points((T, 7, 100)))
    writer.tables.add("points", points((T + 1, 7, 200)))
    if published:
        writer.tables.rotate()
        writer.tables.flush()
    (log, *_), *rest = table_logs(tmp_path)
    assert not rest
    if not published:
        log.write_bytes(log.read_bytes()[:-3])  # killed within the last block
    recover(tmp_path)
    assert [row[0] for row in stored(tmp_path, "points")] == ([T, T + 1] if published else [T])
    assert not list((tmp_path / LIVE).glob("*.log"))


def test_it_reads_the_log_of_an_older_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(tmp_path)
    old = np.dtype([("t", "i8"), ("vni", "i4"), ("packets", "i8"), ("gone", "i8")])
    with monkeypatch.context() as patch:
        patch.setitem(__import__("cstor.store.tables", fromlist=["DTYPES"]).DTYPES, "points", old)
        writer = StoreWriter(tmp_path, Sequence(tmp_path), live=True)
        writer.tables.add("points", np.array([(T, 7, 3, 9)], old))
    ((log, *_),) = table_logs(tmp_path)
    (rows,) = read_table_log(log, "points")
    assert rows.dtype == POINT
    assert (rows["t"][0], rows["vni"][0], rows["packets"][0], rows["bytes"][0]) == (T, 7, 3, 0)


def test_it_knows_the_names_of_counters() -> None:
    assert node_rows(T, []).dtype == NODE
    with pytest.raises(KeyError, match="nonsense"):
        node_rows(T, [("", "", "nonsense", "", 1)])
