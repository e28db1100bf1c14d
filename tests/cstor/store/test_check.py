"""`check`: a whole store passes, every kind of damage is found, what a kill leaves behind is a note."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cstor.store.check import Report, check
from cstor.store.compact import compact
from cstor.store.layout import LIVE, SECOND_NS, WriterLock, open_store
from cstor.store.ledger import Clock, Ledger, write_clock, write_ledger
from cstor.store.segment import SegmentWriter
from cstor.store.sequence import Sequence
from cstor.store.writer import StoreWriter
from tests.cstor.seconds import row, second, sessions
from wire.packets.batch import batch_of

T = 1_700_000_400
ROOT = Path(__file__).resolve().parents[3]


def fill(root: Path, live: bool = False, parts: int = 3) -> tuple[StoreWriter, SegmentWriter]:
    """Series, latency, sessions and packets; as an ingest leaves them, or as a capture holds them open."""
    open_store(root)
    sequence = Sequence(root)
    writer, packets = StoreWriter(root, sequence, live), SegmentWriter(root, sequence, live)
    for number in range(parts):
        t = T + 60 * number
        one = row("10.0.0.1", "10.0.0.2", bytes_client=1, response_time=[5_000_000, 7_000_000])
        writer.add_seconds([second(t + n, one) for n in range(5)])
        ends = {"start_ns": t * SECOND_NS, "end_ns": (t + 1) * SECOND_NS}
        writer.add_sessions(sessions(row("10.0.0.1", "10.0.0.2", client_port=1, **ends)))
        packets.append(batch_of([bytes(100)] * 10, [t * SECOND_NS + n for n in range(10)]))
        if not live or number < parts - 1:
            writer.rotate()
            packets.flush()
        else:
            packets.tick()
    writer.flush()
    return writer, packets


def whole(root: Path) -> Path:
    writer, packets = fill(root)
    writer.close()
    packets.close()
    write_ledger(root, Ledger(observed=[(T, T + 200)]))
    return root


def only(folder: Path, pattern: str) -> Path:
    return min(folder.glob(pattern))


def texts(report: Report) -> str:
    return "\n".join(str(finding) for finding in report.problems)


def test_a_whole_store_passes(tmp_path: Path) -> None:
    report = check(whole(tmp_path))
    assert report.problems == report.notes == []
    assert (report.packets, report.files["series"], report.files["latency"], report.files["segment"]) == (30, 3, 3, 3)
    compact(tmp_path, now=T + 7200, min_parts=2)
    report = check(tmp_path)
    assert report.problems == report.notes == []
    assert report.files["series"] == 1


def test_a_store_that_is_being_written_passes(tmp_path: Path) -> None:
    with WriterLock(open_store(tmp_path), "run"):
        writer, packets = fill(tmp_path, live=True)
        report = check(tmp_path)
        assert report.problems == report.notes == []
        assert report.files["log"] > 0
        writer.close()
        packets.close()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 3)


def turn(at: int) -> Callable[[Path], None]:
    def turned(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[at] ^= 0xFF
        path.write_bytes(content)

    return turned


def rewritten(sql: str) -> Callable[[Path], None]:
    """The same file with other rows, as a wrong program would have written it."""

    def write(path: Path) -> None:
        told = duckdb.sql(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{path}')").fetchall()
        metadata = ", ".join(f"{key}: '{value}'" for key, value in told)
        query = sql.format(f"read_parquet(['{path}'])")
        duckdb.sql(f"COPY ({query}) TO '{path}.new' (FORMAT parquet, KV_METADATA {{{metadata}}})")
        Path(f"{path}.new").rename(path)

    return write


def replacing(column: str, value: str) -> Callable[[Path], None]:
    return rewritten(f"SELECT * REPLACE ({value} AS {column}) FROM {{}}")


PCAP, IDX, LEDGER = "packets/*/*/*.pcap", "packets/*/*/*.idx", "ledger.json"
SERIES, LATENCY, SESSIONS = (f"{dataset}/*/*/*.parquet" for dataset in ("series", "latency", "sessions"))


@pytest.mark.parametrize(
    ("pattern", "damage", "word"),
    [
        (PCAP, cut, "bytes, not"),
        (PCAP, turn(33), "damaged at byte"),
        (IDX, turn(20), "index"),
        (IDX, turn(-5), "index"),
        (IDX, cut, "index"),
        (IDX, Path.unlink, "no index"),
        (SERIES, cut, "cannot be read"),
        (SERIES, Path.unlink, "by bins"),
        (LATENCY, Path.unlink, "by bins"),
        (SERIES, replacing("t", "t + 3600"), "another hour"),
        (SERIES, replacing("t", "t + 600"), "outside the times"),
        (SERIES, replacing("response_time_max", "response_time_max - 9000000"), "extremes"),
        (SERIES, replacing("bytes_client", "-bytes_client"), "negative"),
        (LATENCY, replacing("n", "n + 1"), "by bins"),
        (SESSIONS, rewritten("SELECT * FROM {0} UNION ALL SELECT * FROM {0}"), "twice"),
        (SESSIONS, replacing("end_ns", "end_ns - 2000000000"), "before they start"),
        (LEDGER, cut, "damaged"),
    ],
)
def test_it_finds_damage_of_every_kind(tmp_path: Path, pattern: str, damage: Callable[[Path], None], word: str) -> None:
    damage(only(whole(tmp_path), pattern))
    report = check(tmp_path)
    assert word in texts(report)
    assert len({finding.path for finding in report.problems}) == 1, texts(report)


def test_what_a_kill_leaves_is_a_note(tmp_path: Path) -> None:
    fill(tmp_path, live=True)  # never closed
    write_clock(tmp_path, Clock(T, T + 100))
    log = only(tmp_path / LIVE, "series-*.log")
    open_log = max((tmp_path / LIVE).glob("series-*.log"))
    with open_log.open("ab") as file:
        file.write(b"cSlg torn")
    (tmp_path / "series" / ".x.parquet.tmp").write_bytes(b"half")
    (tmp_path / LIVE / "1700000000000000000-0000000099.pcap").write_bytes(b"")
    report = check(tmp_path)
    assert report.problems == []
    said = "\n".join(map(str, report.notes))
    for word in ("not a whole block", "was killed after", "being written when", "no packet yet"):
        assert word in said
    assert log.exists()


def test_blocks_behind_damage_are_a_problem(tmp_path: Path) -> None:
    fill(tmp_path, live=True)
    log = max((tmp_path / LIVE).glob("series-*.log"))
    turn(log.stat().st_size // 2)(log)
    assert "blocks behind it are not read" in texts(check(tmp_path))


def test_the_command_says_a_line_for_each_problem_and_a_summary(tmp_path: Path) -> None:
    def run(store: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cstor", "check", "--store", str(store)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    whole(tmp_path)
    done = run(tmp_path)
    assert (done.returncode, json.loads(done.stdout.splitlines()[-1])["problems"]) == (0, 0)
    cut(only(tmp_path, "series/*/*/*.parquet"))
    done = run(tmp_path)
    first, last = done.stdout.splitlines()
    assert (done.returncode, json.loads(last)["problems"]) == (1, 1)
    assert ".parquet: cannot be read" in first
    assert run(tmp_path / "elsewhere").returncode == 2
