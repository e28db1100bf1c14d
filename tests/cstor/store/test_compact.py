"""Series become coarser with age: every base merges by its kind, and a question finer than what is kept is told so."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cstor.buckets.second import ClosedSecond
from cstor.config import Retention
from cstor.metrics.registry import BASES, HISTOGRAMS, SCALARS
from cstor.store.answer import as_json
from cstor.store.check import check
from cstor.store.compact import compact
from cstor.store.layout import DATASETS, hours, open_store
from cstor.store.ledger import Ledger, write_ledger
from cstor.store.sequence import Sequence
from cstor.store.series import SeriesReader
from cstor.store.writer import StoreWriter
from tests.cstor.seconds import row, second

T = 1_700_002_800  # begins an hour
DAY = 86_400
AGES = Retention(series_1s_days=2, series_10s_days=14)
ROOT = Path(__file__).resolve().parents[3]
ENDS = [("10.0.0.1", "10.0.0.2"), ("10.0.0.3", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")]


def traffic(seed: int, seconds: int = 400) -> list[ClosedSecond]:
    """Every base of the registry moves, in some conversations, at some seconds; also the folded rest."""
    chance = random.Random(seed)
    out = []
    for n in range(seconds):
        rows = []
        for client, server in chance.sample(ENDS, chance.randint(1, len(ENDS))):
            values: dict[str, Any] = {
                base.key: chance.randint(1, 1 << 40)
                for base in SCALARS
                if chance.random() < 0.3 and not base.key.endswith(("_count", "_sum", "_min", "_max"))
            }
            for base in HISTOGRAMS:
                if chance.random() < 0.2:
                    values[base.key] = [chance.randint(1, 10**9) for _ in range(chance.randint(1, 4))]
            rows.append(row(client, server, vni=chance.choice([-1, 7]), **values))
        if chance.random() < 0.1:
            rows.append(row("::", "::", port=0, protocol=0, is_other=1, bytes_client=5))
        out.append(second(T + 1 + n, *rows))
    return out


def fill(root: Path) -> SeriesReader:
    open_store(root)
    writer = StoreWriter(root, Sequence(root), live=False)
    for n, one in enumerate(traffic(1)):
        writer.add_seconds([one])
        if n % 60 == 59:
            writer.rotate()
    writer.close()
    write_ledger(root, Ledger(observed=[(T, T + 7200)]))
    return SeriesReader(root)


def age(root: Path, days: float) -> None:
    for path in root.rglob("*.parquet"):
        os.utime(path, (T + 3600 - days * DAY,) * 2)


def asked(reader: SeriesReader, step: int, **more: Any) -> dict[str, Any]:
    question = {"step": step, "by": ["client_ip", "server_ip", "vni"], "from": T, "to": T + 7200, "totals": 1, **more}
    return as_json(reader.answer(question))


@pytest.mark.parametrize(("days", "step"), [(3, 10), (15, 60)])
def test_answers_in_its_step_or_larger_do_not_change(tmp_path: Path, days: float, step: int) -> None:
    reader = fill(tmp_path)
    before = {asked_step: asked(reader, asked_step)["columns"] for asked_step in (step, 60, 600)}
    age(tmp_path, days)
    assert compact(tmp_path, now=T + 7200, retention=AGES) == 2
    for asked_step, columns in before.items():
        answer = asked(reader, asked_step)
        assert answer["columns"] == columns
        assert "coarse" not in answer
        assert answer["observed"] == [(T, T + 7200)]
    assert check(tmp_path).problems == []
    assert compact(tmp_path, now=T + 7200, retention=AGES) == 0
    ((_, folder),) = hours(tmp_path, "series")
    (path,) = folder.iterdir()
    told = dict(duckdb.sql(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{path}')").fetchall())
    assert told["cclear_step"] == str(step)


def test_it_goes_from_1_to_10_to_60_seconds(tmp_path: Path) -> None:
    reader = fill(tmp_path)
    before, sizes = asked(reader, 60)["columns"], []
    for days in (1, 3, 15):
        age(tmp_path, days)
        compact(tmp_path, now=T + 7200, retention=AGES)
        assert asked(reader, 60)["columns"] == before
        sizes.append(sum(path.stat().st_size for path in tmp_path.rglob("*.parquet")))
    assert sizes == sorted(sizes, reverse=True)
    assert duckdb.sql(f"SELECT count(DISTINCT t) FROM '{tmp_path}/series/*/*/*.parquet'").fetchall() == [(7,)]


def test_a_finer_question_is_told_what_is_kept_and_gets_nothing_invented(tmp_path: Path) -> None:
    reader = fill(tmp_path)
    age(tmp_path, 3)
    compact(tmp_path, now=T + 7200, retention=AGES)
    for step in (1, 5, 15):
        answer = asked(reader, step, to=T + 7200, by=[])
        assert answer["coarse"] == [(T, T + 3600, 10)]
        assert answer["kept_from"] == T + 3600
        assert answer["observed"] == [(T + 3600, T + 7200)]
        assert answer["columns"]["t"] == []
    command = [sys.executable, "-m", "cstor", "series", "--store", str(tmp_path), "--from", str(T)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == ""
    assert "ask with --step 10" in done.stderr


def test_late_rows_of_a_coarse_hour_join_it(tmp_path: Path) -> None:
    reader = fill(tmp_path)
    age(tmp_path, 15)
    compact(tmp_path, now=T + 7200, retention=AGES)
    before = sum(asked(reader, 60, by=[])["columns"]["bytes_client"][:-8])
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=False)
    writer.add_seconds([second(T + 5, row(*ENDS[0], bytes_client=100, response_time=[5]))])
    writer.close()
    assert asked(reader, 1, by=[])["columns"]["t"] == []  # a part of the hour would read as the whole
    assert sum(asked(reader, 60, by=[])["columns"]["bytes_client"][:-8]) == before + 100
    assert compact(tmp_path, now=T + 7200, retention=AGES) == 2
    assert sum(asked(reader, 60, by=[])["columns"]["bytes_client"][:-8]) == before + 100
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    assert check(tmp_path).problems == []


def test_killed_after_renaming_it_removes_the_parts_at_the_next_run(tmp_path: Path) -> None:
    reader = fill(tmp_path)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    before = asked(reader, 60)["columns"]
    age(tmp_path, 3)
    compact(tmp_path, now=T + 7200, retention=AGES)
    for path, content in kept.items():
        path.write_bytes(content)  # as if the kill came before the removal
    assert asked(reader, 60)["columns"] == before
    report = check(tmp_path)
    assert report.problems == []
    assert len(report.notes) == len(kept)
    compact(tmp_path, now=T + 7200, retention=AGES)
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    assert asked(reader, 60)["columns"] == before


def test_an_hour_that_waits_in_a_log_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path)
    age(tmp_path, 15)
    log = tmp_path / "live" / f"series-{T}-0000000999.log"
    log.write_bytes(b"")
    assert compact(tmp_path, now=T + 7200, retention=AGES) == 0
    log.unlink()
    assert compact(tmp_path, now=T + 3600, retention=AGES) == 0  # not over for long enough


def test_a_base_that_is_not_known_here_keeps_its_hour_in_seconds(tmp_path: Path) -> None:
    fill(tmp_path)
    path = min(tmp_path.glob("series/*/*/*.parquet"))
    duckdb.sql(f"COPY (SELECT *, 1::BIGINT AS of_tomorrow FROM '{path}') TO '{path}.new' (FORMAT parquet)")
    Path(f"{path}.new").rename(path)
    age(tmp_path, 15)
    compact(tmp_path, now=T + 7200, retention=AGES)
    assert len(list(tmp_path.glob("series/*/*/*-L0-*.parquet"))) == 7


def test_every_base_has_a_kind_that_merges() -> None:
    assert {base.kind for base in BASES.values()} <= {"sum", "min", "max", "histogram"}
    assert set(DATASETS) >= {"series", "latency"}
