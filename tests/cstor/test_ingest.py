"""Every capture goes in without a traceback, and what comes out adds up: to the oracle, and to itself three times."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from cstor.ingest import FUTURE, Ingest
from cstor.store.answer import as_json
from cstor.store.catalog import segments
from cstor.store.layout import SECOND_NS, StoreError
from cstor.store.ledger import read_ledger
from cstor.store.series import SeriesReader
from cstor.store.sessions import SessionReader
from tests.captures import CAPTURES, needs_captures
from wire.packets.batch import batch_of
from wire.packets.capturefile import CaptureError
from wire.packets.pcap import PcapWriter, open_capture

FILES = sorted(CAPTURES.glob("*.pcap*")) if CAPTURES else []
SUMS = ("packets_client", "packets_server", "bytes_client", "bytes_server", "payload_bytes_client", "syns", "attempts")


def ingest(store: Path, *paths: Path) -> dict[str, Any]:
    with Ingest(store) as running:
        for path in paths:
            running.file(path)
    return running.summary.as_json()


def write_capture(path: Path, seconds: list[int], size: int = 100) -> Path:
    """UDP packets of one conversation, one at each time."""
    udp = bytes.fromhex("1388003500500000") + bytes(size - 28)
    head = bytes.fromhex("45000064000100004011") + b"\0\0" + bytes([10, 0, 0, 1, 10, 0, 0, 2])
    frame = bytes(12) + b"\x08\0" + head + udp
    with PcapWriter(path) as writer:
        writer.write(batch_of([frame] * len(seconds), [t * SECOND_NS for t in seconds]))
    return path


@needs_captures
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_takes_every_capture_and_the_totals_agree(tmp_path: Path, path: Path) -> None:
    fault: CaptureError | None = None
    with Ingest(tmp_path) as running:
        try:
            running.file(path)
        except CaptureError as error:
            fault = error
    assert fault is None or (fault.partial and str(fault).startswith(f"{path}: offset "))
    summary = running.summary.as_json()
    totals = json.loads((path.parent / "oracle" / f"{path.name}.tshark.json").read_text())["totals"]
    if "malformed_packets" not in totals:
        assert summary["packets"] == totals["packets"]
        assert summary["ip_bytes"] == totals["ip_bytes_inner"]
    question = {"step": 3600, "metrics": list(SUMS), "points": "all"}
    columns = as_json(SeriesReader(tmp_path).answer(question))["columns"]
    series = {key: sum(value or 0 for value in columns[key]) for key in SUMS}
    rows = SessionReader(tmp_path).page({"limit": 10_000}).rows
    sessions = {key: sum(row.get(key) or 0 for row in rows) for key in SUMS}
    assert series == sessions
    assert len(rows) == summary["sessions"]
    assert series["packets_client"] + series["packets_server"] == summary["ip_packets"]
    assert series["bytes_client"] + series["bytes_server"] == summary["ip_bytes"]
    stored = segments(tmp_path, 0, 1 << 62)
    assert sum(segment.packets for segment in stored) == sum(_packets(segment.path) for segment in stored)
    assert all(segment.bytes_valid == segment.path.stat().st_size for segment in stored)


def _packets(path: Path) -> int:
    return sum(batch.packets for batch in open_capture(path))


def test_it_stores_packets_as_they_were(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcap", [100, 101, 3700])
    ingest(tmp_path / "store", path)
    (segment,) = segments(tmp_path / "store", 0, 1 << 62)
    assert segment[1:5] == (1, 100 * SECOND_NS, 3700 * SECOND_NS, 3)
    assert segment.ordered
    assert "date=1970-01-01/hour=00" in str(segment.path)
    assert not segments(tmp_path / "store", 3701 * SECOND_NS, 5000 * SECOND_NS)
    (stored,), (given,) = ([batch.frame(0) for batch in open_capture(one)] for one in (segment.path, path))
    assert stored == given


def test_large_segments_end_with_the_hour_and_unordered_ones_say_so(tmp_path: Path) -> None:
    times = [100 + n // 100 for n in range(20_000)] + [3700] * 5000 + [50]
    ingest(tmp_path / "store", write_capture(tmp_path / "a.pcap", times))
    first, last = sorted(segments(tmp_path / "store", 0, 1 << 62), key=lambda segment: segment.path)
    assert (first.first_ns, first.ordered) == (100 * SECOND_NS, True)
    assert (last.first_ns, last.ordered) == (50 * SECOND_NS, False)
    assert first.packets + last.packets == len(times)
    assert "hour=01" in str(last.path)
    assert last in segments(tmp_path / "store", 40 * SECOND_NS, 60 * SECOND_NS)


def test_it_keeps_the_spans_of_the_files_as_observed(tmp_path: Path) -> None:
    paths = [write_capture(tmp_path / f"{n}.pcap", seconds) for n, seconds in enumerate([[1000, 1060], [500, 501]])]
    ingest(tmp_path / "store", *paths)
    assert read_ledger(tmp_path / "store").observed == [(500, 502), (1000, 1061)]
    head = SeriesReader(tmp_path / "store").answer({}).head
    assert (head.complete_until, head.kept_from) == (1061, 500)


def test_an_ingest_of_older_times_raises_the_revision_of_the_hour(tmp_path: Path) -> None:
    store = tmp_path / "store"
    ingest(store, write_capture(tmp_path / "a.pcap", [7200, 7300]))
    assert read_ledger(store).revisions == {}
    ingest(store, write_capture(tmp_path / "b.pcap", [10_900]))
    assert read_ledger(store).revisions == {}
    ingest(store, write_capture(tmp_path / "c.pcap", [3700, 7250]))
    assert read_ledger(store).revisions == {3600: 1, 7200: 1}
    # After the last second but in its hour: whoever asked in steps of an hour has seen that bucket complete.
    ingest(store, write_capture(tmp_path / "d.pcap", [10_950]))
    assert read_ledger(store).revisions == {3600: 1, 7200: 1, 10_800: 1}
    assert SeriesReader(store).answer({"from": 7200, "to": 7260}).head.revisions == {7200: 1}


def test_a_killed_change_is_told_by_the_next_writer(tmp_path: Path) -> None:
    store = tmp_path / "store"
    ingest(store, write_capture(tmp_path / "a.pcap", [7200, 7300]))
    ledger = json.loads((store / "ledger.json").read_text())
    (store / "ledger.json").write_text(json.dumps(ledger | {"pending": [7200]}))
    ingest(store, write_capture(tmp_path / "b.pcap", [20_000]))
    assert read_ledger(store).revisions == {7200: 1}


def test_it_refuses_and_counts_times_after_tomorrow(tmp_path: Path) -> None:
    now = int(time.time())
    summary = ingest(
        tmp_path / "s", write_capture(tmp_path / "a.pcap", [now, now + 3600, now + 2 * 86_400, now + 10**8])
    )
    assert summary["malformed"] == {FUTURE: 2}
    assert (summary["packets"], summary["ip_packets"]) == (4, 2)
    assert SeriesReader(tmp_path / "s").answer({}).head.complete_until == now + 3601
    assert sum(segment.packets for segment in segments(tmp_path / "s", 0, 1 << 62)) == 2


def test_a_second_writer_is_refused_in_one_line(tmp_path: Path) -> None:
    with (
        Ingest(tmp_path),
        pytest.raises(StoreError, match=r"cstor ingest \(process \d+\) is writing"),
        Ingest(tmp_path),
    ):
        pass
    with Ingest(tmp_path):
        pass


def test_what_was_read_before_a_fault_stays_also_of_a_file_without_packets(tmp_path: Path) -> None:
    whole = write_capture(tmp_path / "whole.pcap", list(range(100)))
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(whole.read_bytes()[:-30])
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(b"")
    with Ingest(tmp_path / "store") as running:
        running.file(whole)
        for path in (cut, empty):
            with pytest.raises(CaptureError):
                running.file(path)
    assert running.summary.as_json()["packets"] == 199
    columns = as_json(SeriesReader(tmp_path / "store").answer({"step": 3600, "metrics": ["packets_client"]}))["columns"]
    assert columns["packets_client"] == [199]
