"""Retention takes the oldest first, counts age from the writing, and says from when on the store still knows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cstor.config import Retention
from cstor.store import retention as retention_module
from cstor.store.catalog import segments
from cstor.store.check import check
from cstor.store.layout import LIVE, SECOND_NS, hour_folder, open_store
from cstor.store.ledger import Ledger, read_ledger, write_ledger
from cstor.store.recover import recover
from cstor.store.retention import MIN_FREE_MOST, enforce, free_floor
from cstor.store.segment import SegmentWriter
from cstor.store.sequence import Sequence
from cstor.store.series import SeriesReader
from cstor.store.sessions import SessionReader
from cstor.store.writer import StoreWriter
from tests.cstor.seconds import row, second, sessions
from wire.packets.batch import batch_of

DAY = 86_400
HOURS = [3600 * n for n in range(1, 5)]


def fill(root: Path) -> None:
    open_store(root)
    sequence = Sequence(root)
    writer, packets = StoreWriter(root, sequence, live=False), SegmentWriter(root, sequence, live=False)
    for hour in HOURS:
        writer.add_seconds([second(hour + 5, row("10.0.0.1", "10.0.0.2", bytes_client=1, response_time=[5]))])
        ends = {"start_ns": (hour + 5) * SECOND_NS, "end_ns": (hour + 6) * SECOND_NS}
        writer.add_sessions(sessions(row("10.0.0.1", "10.0.0.2", client_port=1, **ends)))
        packets.append(batch_of([bytes(1000)] * 10, [hour * SECOND_NS + n for n in range(10)]))
        packets.flush()
    writer.close()
    packets.close()
    write_ledger(root, Ledger(observed=[(HOURS[0], HOURS[-1] + 3600)]))


def test_it_keeps_all_without_limits(tmp_path: Path) -> None:
    fill(tmp_path)
    assert enforce(tmp_path, Retention()) == 0


def test_it_removes_the_oldest_packets_beyond_their_bytes(tmp_path: Path) -> None:
    fill(tmp_path)
    one = sum(path.stat().st_size for path in hour_folder(tmp_path, "packets", 3600).iterdir())
    assert enforce(tmp_path, Retention(packets_bytes=2 * one)) == 4
    assert [segment.first_ns // SECOND_NS for segment in segments(tmp_path, 0, 1 << 62)] == HOURS[2:]
    assert len(SessionReader(tmp_path).page({}).rows) == 4


def test_age_counts_from_the_writing_not_from_the_packets(tmp_path: Path) -> None:
    fill(tmp_path)
    limits = Retention(packets_days=7, series_days=7, sessions_days=7)
    assert enforce(tmp_path, limits) == 0  # packets of 1970, written just now
    for dataset in ("series", "latency", "sessions", "packets"):
        for path in hour_folder(tmp_path, dataset, HOURS[0]).iterdir():
            os.utime(path, (path.stat().st_mtime - 8 * DAY,) * 2)
    assert enforce(tmp_path, limits) == 5
    assert len(segments(tmp_path, 0, 1 << 62)) == 3
    assert len(SessionReader(tmp_path).page({}).rows) == 3


def test_what_was_removed_is_no_longer_observed(tmp_path: Path) -> None:
    fill(tmp_path)
    size = sum(
        path.stat().st_size for dataset in ("series", "latency") for path in (tmp_path / dataset).rglob("*.parquet")
    )
    enforce(tmp_path, Retention(series_bytes=size * 5 // 8))  # hours differ by some bytes
    head = SeriesReader(tmp_path).answer({"from": 0, "to": DAY}).head
    assert head.observed == [(HOURS[2], HOURS[-1] + 3600)]
    assert head.kept_from == HOURS[2]


def test_packets_go_first_when_the_disk_runs_short(tmp_path: Path) -> None:
    fill(tmp_path)
    free = shutil.disk_usage(tmp_path).free
    assert enforce(tmp_path, Retention(min_free=free // 2)) == 0
    assert enforce(tmp_path, Retention(min_free=2 * free)) == 8
    assert segments(tmp_path, 0, 1 << 62) == []
    assert len(SessionReader(tmp_path).page({}).rows) == 4
    head = SeriesReader(tmp_path).answer({"from": 0, "to": DAY}).head
    assert head.observed == [(HOURS[0], HOURS[-1] + 3600)]


def test_only_so_many_packets_go_as_the_floor_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    one = sum(path.stat().st_size for path in hour_folder(tmp_path, "packets", 3600).iterdir())
    short = usage._replace(free=10 * one - 1)
    monkeypatch.setattr(retention_module.shutil, "disk_usage", lambda path: short)
    assert enforce(tmp_path, Retention(min_free=10 * one)) == 2
    assert [segment.first_ns // SECOND_NS for segment in segments(tmp_path, 0, 1 << 62)] == HOURS[1:]


def test_the_floor_is_a_twentieth_of_the_disk_and_at_most_2_gb(tmp_path: Path) -> None:
    total = shutil.disk_usage(tmp_path).total
    assert free_floor(tmp_path, None) == min(total // 20, MIN_FREE_MOST)
    assert free_floor(tmp_path, 5) == 5


def test_the_hour_that_is_being_written_stays(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / LIVE / f"series-{HOURS[0]}-0000000099.log").write_bytes(b"")
    (tmp_path / LIVE / f"sessions-{HOURS[1]}-0000000098.log").write_bytes(b"")
    enforce(tmp_path, Retention(series_bytes=1, sessions_bytes=1))
    for dataset in ("series", "latency", "sessions"):
        kept = sorted(path.parent for path in (tmp_path / dataset).rglob("*.parquet"))
        assert kept == [hour_folder(tmp_path, dataset, hour) for hour in HOURS[:2]]


def test_each_dataset_has_limits_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path)
    size = sum(path.stat().st_size for path in (tmp_path / "sessions").rglob("*.parquet"))
    enforce(tmp_path, Retention(sessions_bytes=size - 1))
    assert len(SessionReader(tmp_path).page({}).rows) == 3
    assert len(segments(tmp_path, 0, 1 << 62)) == 4
    assert len(list((tmp_path / "series").rglob("*.parquet"))) == 4
    assert check(tmp_path).problems == []


def test_a_removal_that_is_killed_in_between_leaves_no_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)

    class Killed(Exception):
        pass

    removed: list[Path] = []
    original = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if len(removed) == 1:
            raise Killed
        removed.append(path)
        original(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(Killed):
        enforce(tmp_path, Retention(packets_bytes=1))
    removed.clear()
    with pytest.raises(Killed):
        enforce(tmp_path, Retention(series_bytes=1))
    monkeypatch.undo()
    assert read_ledger(tmp_path).observed == []  # said before the first file went
    report = check(tmp_path)
    assert [finding.what for finding in report.notes] == ["its pcap is gone"]
    recover(tmp_path)
    assert len(segments(tmp_path, 0, 1 << 62)) == 3
