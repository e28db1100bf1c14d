"""Logs, publishing, compaction, recovery: at any moment every row is read exactly once."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from cstor.buckets.second import ClosedSecond, SessionBatch
from cstor.store import writer as writer_module
from cstor.store.answer import as_json
from cstor.store.compact import compact
from cstor.store.layout import LIVE, SECOND_NS, hours, open_store
from cstor.store.ledger import Clock, read_ledger, write_clock
from cstor.store.live import LiveTail
from cstor.store.recover import recover
from cstor.store.sequence import Sequence
from cstor.store.series import SeriesReader
from cstor.store.sessions import SessionReader
from cstor.store.writer import StoreWriter
from tests.cstor.seconds import row, second, sessions

T = 1_700_000_400


def minute(start: int, seconds: int = 60) -> list[ClosedSecond]:
    one = row("10.0.0.1", "10.0.0.2", bytes_client=1, response_time=[5_000_000])
    return [second(start + n, one) for n in range(seconds)]


def some_sessions(start: int, count: int = 10) -> SessionBatch:
    ends = [((start + n) * SECOND_NS, (start + n + 1) * SECOND_NS) for n in range(count)]
    return sessions(*(row("10.0.0.1", "10.0.0.2", client_port=1000, start_ns=a, end_ns=b) for a, b in ends))


def total(reader: SeriesReader) -> tuple[int, int, int]:
    """Bytes, samples counted, samples in bins."""
    columns = as_json(reader.answer({"step": 86_400, "metrics": ["bytes_client", "response_time"]}))["columns"]
    bins = sum(sum(cell[1::2]) for cell in columns["response_time"])
    return sum(columns["bytes_client"]), sum(columns["response_time_count"]), bins


def test_it_shows_each_row_once_before_while_and_after_it_is_published(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer, reader = StoreWriter(tmp_path, Sequence(tmp_path), live=True), SeriesReader(tmp_path)
    cold = SeriesReader(tmp_path)
    for number in range(1, 6):
        for one in minute(T + 60 * (number - 1)):
            writer.add_seconds([one])
        assert total(reader) == (60 * number,) * 3
        writer.rotate()
        assert total(reader) == (60 * number,) * 3
        writer.flush()
        assert total(reader) == (60 * number,) * 3
    writer.close()
    assert total(reader) == total(cold) == total(SeriesReader(tmp_path)) == (300, 300, 300)
    assert not list((tmp_path / LIVE).glob("*.log"))


def test_it_keeps_the_last_minutes_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(tmp_path)
    writer, tail = StoreWriter(tmp_path, Sequence(tmp_path), live=True), LiveTail(tmp_path)
    clock = iter(range(0, 10_000, 60))
    monkeypatch.setattr(writer_module.time, "monotonic", lambda: now[0])
    now = [next(clock)]
    for number in range(6):
        writer.add_seconds(minute(T + 60 * number))
        writer.rotate()
        writer.flush()
        now[0] = next(clock)
    held = [one.t for part in tail.read().parts.values() for one in part.seconds]
    assert (min(held), max(held)) == (T + 180, T + 359)
    assert not SeriesReader(tmp_path).snapshot().series(T + 200, T + 300).files
    assert total(SeriesReader(tmp_path)) == (360, 360, 360)
    writer.close()
    assert total(SeriesReader(tmp_path)) == (360, 360, 360)


def test_it_reads_a_torn_log_up_to_the_last_whole_block_and_cuts_it_at_the_next_start(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=True)
    writer.add_seconds(minute(T, 10))
    writer.add_sessions(some_sessions(T))
    write_clock(tmp_path, Clock(T, T + 9))
    for log in (tmp_path / LIVE).glob("*.log"):
        with log.open("ab") as file:
            file.write(b"cSlg torn in the middle of a header")
    log = next((tmp_path / LIVE).glob("series-*.log"))
    whole = log.stat().st_size
    assert total(SeriesReader(tmp_path)) == (10, 10, 10)
    os.truncate(log, whole - 60)  # and now the last second itself is torn
    assert total(SeriesReader(tmp_path)) == (9, 9, 9)
    recover(tmp_path)
    assert not list((tmp_path / LIVE).iterdir())
    assert total(SeriesReader(tmp_path)) == (9, 9, 9)
    assert len(SessionReader(tmp_path).page({}).rows) == 10
    assert read_ledger(tmp_path).observed == [(T, T + 9)]
    recover(tmp_path)
    assert total(SeriesReader(tmp_path)) == (9, 9, 9)


def test_it_does_not_publish_twice_when_killed_between_renaming_and_removing_the_log(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=True)
    writer.add_seconds(minute(T))
    log = next((tmp_path / LIVE).glob("series-*.log"))
    content = log.read_bytes()
    writer.close()
    log.write_bytes(content)  # as if the kill came before the log was removed
    assert total(SeriesReader(tmp_path)) == (60, 60, 60)
    recover(tmp_path)
    assert total(SeriesReader(tmp_path)) == (60, 60, 60)


def test_it_compacts_an_hour_and_takes_late_rows_for_it_afterwards(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer, reader = StoreWriter(tmp_path, Sequence(tmp_path), live=False), SeriesReader(tmp_path)
    for number in range(5):
        writer.add_seconds(minute(T + 60 * number))
        writer.add_sessions(some_sessions(T + 60 * number))
        writer.rotate()
    writer.flush()
    written = [path.stat().st_mtime for path in tmp_path.glob("series/*/*/*.parquet")]
    assert compact(tmp_path, now=T + 7200) == 3
    for dataset in ("series", "latency", "sessions"):
        ((_, folder),) = hours(tmp_path, dataset)
        (part,) = folder.iterdir()
        assert "-L1-" in part.name
        assert part.stat().st_mtime <= max(written) + 1
    assert total(reader) == (300, 300, 300)
    writer.add_seconds(minute(T, 5))
    writer.close()
    assert total(reader) == (305, 305, 305)
    assert len(SessionReader(tmp_path).page({}).rows) == 50
    assert compact(tmp_path, now=T + 7200) == 0


def test_it_goes_on_when_a_file_vanishes_while_a_query_runs(tmp_path: Path, monkeypatch) -> None:
    open_store(tmp_path)
    writer, reader = StoreWriter(tmp_path, Sequence(tmp_path), live=False), SeriesReader(tmp_path)
    for number in range(5):
        writer.add_seconds(minute(T + 60 * number))
        writer.rotate()
    writer.close()
    snapshot = reader.snapshot()
    taken = iter([snapshot])
    original = reader.snapshot
    monkeypatch.setattr(reader, "snapshot", lambda: next(taken, None) or original())
    compact(tmp_path, now=T + 7200)
    assert total(reader) == (300, 300, 300)


def test_its_files_tell_their_version_and_read_with_plain_sql(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=False)
    writer.add_seconds([second(T, row("10.0.0.1", "2001:db8::2", port=80, vni=5, bytes_client=7))])
    writer.close()
    found = duckdb.sql(
        f"SELECT date, hour, t, client_ip, server_ip, server_port, vni, vlan, bytes_client "
        f"FROM read_parquet('{tmp_path}/series/**/*.parquet', hive_partitioning = true)"
    ).fetchall()
    ((date, hour, *rest),) = found
    assert (str(date), int(hour)) == ("2023-11-14", 22)
    assert rest == [T, "10.0.0.1", "2001:db8::2", 80, 5, None, 7]
    path = next(tmp_path.glob("series/*/*/*.parquet"))
    keys = duckdb.sql(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{path}')").fetchall()
    assert ("cclear_format", "1") in keys
    names = [name for (name, *_) in duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
    assert "bytes_server" not in names  # nothing was measured: no column


def test_a_live_writer_goes_on_when_it_cannot_publish(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer, reader = StoreWriter(tmp_path, Sequence(tmp_path), live=True), SeriesReader(tmp_path)
    blocker = tmp_path / "series"
    blocker.write_text("a file where a folder should be")
    writer.add_seconds(minute(T))
    writer.rotate()
    writer.flush()
    assert writer.problem is not None
    blocker.unlink()
    assert total(reader) == (60, 60, 60)
    writer.rotate()
    writer.flush()
    assert writer.problem is None
    assert total(reader) == (60, 60, 60)
    writer.close()
    assert total(SeriesReader(tmp_path)) == (60, 60, 60)
