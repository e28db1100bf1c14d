"""Segments: readable while they grow, whole when they are sealed, cut where a kill left them torn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cstor.store.catalog import open_segment, read_head, segments
from cstor.store.check import check
from cstor.store.layout import LIVE, SECOND_NS, open_store
from cstor.store.recover import recover
from cstor.store.segment import SegmentWriter
from cstor.store.sequence import Sequence
from wire.packets.batch import PacketBatch, batch_of
from wire.packets.layout import LINK_ETHERNET, LINK_RAW
from wire.packets.pcap import open_capture

T = 1_700_000_000 * SECOND_NS


def batch(count: int, start_ns: int = T, link_type: int = LINK_ETHERNET) -> PacketBatch:
    frames = [bytes([n % 256]) * (60 + n % 50) for n in range(count)]
    return batch_of(frames, [start_ns + n for n in range(count)], link_type=link_type)


def wait_for(root: Path, packets: int) -> None:
    end = time.monotonic() + 10
    while sum(segment.packets for segment in segments(root, 0, 1 << 62)) < packets:
        assert time.monotonic() < end
        time.sleep(0.01)


def frames_of(path: Path) -> list[bytes]:
    return [one.frame(n) for one in open_capture(path) for n in range(one.packets)]


def test_it_can_be_read_while_it_grows(tmp_path: Path) -> None:
    writer = SegmentWriter(open_store(tmp_path), Sequence(tmp_path), live=True)
    for number in range(1, 4):
        writer.append(batch(10, T + number * 1000))
        writer.tick()
        wait_for(tmp_path, 10 * number)
        (segment,) = segments(tmp_path, 0, 1 << 62)
        assert (segment.packets, segment.first_ns, segment.path.parent.name) == (10 * number, T + 1000, LIVE)
        assert segment.path.stat().st_size >= segment.bytes_valid
    writer.close()
    with open_segment(segment) as file:  # listed while it was live, sealed since
        assert len(file.read()) == segment.bytes_valid
    (sealed,) = segments(tmp_path, 0, 1 << 62)
    assert sealed[1:] == segment[1:]
    assert frames_of(sealed.path)[:10] == [batch(10).frame(n) for n in range(10)]


def test_records_from_scattered_frames_are_the_same_as_from_a_file(tmp_path: Path) -> None:
    writer = SegmentWriter(open_store(tmp_path), Sequence(tmp_path), live=False)
    given = batch(100)
    shuffled = PacketBatch(*(column[::-1].copy() for column in ()), *given)  # contiguous but without room for heads
    writer.append(shuffled)
    writer.close()
    (segment,) = segments(tmp_path, 0, 1 << 62)
    (reread,) = open_capture(segment.path)
    other = SegmentWriter(open_store(tmp_path / "other"), Sequence(tmp_path / "other"), live=False)
    other.append(reread)  # as in a file: copied as one block
    other.close()
    (again,) = segments(tmp_path / "other", 0, 1 << 62)
    assert again.path.read_bytes() == segment.path.read_bytes()
    assert frames_of(again.path) == [given.frame(n) for n in range(100)]


def test_a_segment_holds_one_link_type(tmp_path: Path) -> None:
    writer = SegmentWriter(open_store(tmp_path), Sequence(tmp_path), live=False)
    for link_type in (LINK_ETHERNET, LINK_RAW, LINK_ETHERNET):
        writer.append(batch(5, link_type=link_type))
    writer.close()
    assert [segment.link_type for segment in segments(tmp_path, 0, 1 << 62)] == [LINK_ETHERNET, LINK_RAW, LINK_ETHERNET]


def test_a_torn_head_or_record_is_cut_off(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from tests.cstor.store.test_segment import *\n"
        "root = Path(sys.argv[1]); writer = SegmentWriter(open_store(root), Sequence(root), live=True)\n"
        "writer.append(batch(100)); writer.tick(); wait_for(root, 100)\n"
        "os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, check=False, timeout=120)
    (pcap,), (idx,) = (list((tmp_path / LIVE).glob(f"*.{kind}")) for kind in ("pcap", "idx"))
    size = pcap.stat().st_size
    for path in (pcap, idx):
        with path.open("ab") as file:
            file.write(b"torn")
    (segment,) = segments(tmp_path, 0, 1 << 62)
    assert (segment.packets, segment.bytes_valid) == (100, size)
    recover(tmp_path)
    (segment,) = segments(tmp_path, 0, 1 << 62)
    assert segment.path.stat().st_size == size
    assert len(frames_of(segment.path)) == 100
    assert read_head(segment.path.with_suffix(".idx")) == segment
    assert not list((tmp_path / LIVE).iterdir())


def test_recovery_finishes_a_move_that_a_kill_cut_in_two(tmp_path: Path) -> None:
    writer = SegmentWriter(open_store(tmp_path), Sequence(tmp_path), live=True)
    writer.append(batch(10))
    writer.close()
    (segment,) = segments(tmp_path, 0, 1 << 62)
    segment.path.with_suffix(".idx").rename(tmp_path / LIVE / segment.path.with_suffix(".idx").name)
    (halfway,) = segments(tmp_path, 0, 1 << 62)
    with open_segment(halfway) as file:
        assert len(file.read()) == segment.bytes_valid
    recover(tmp_path)
    assert segments(tmp_path, 0, 1 << 62) == [segment]


def test_a_live_writer_counts_what_the_disk_does_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SegmentWriter(open_store(tmp_path), Sequence(tmp_path), live=True)
    writer.append(batch(10))
    writer.tick()
    wait_for(tmp_path, 10)
    moved = tmp_path / "elsewhere"
    (tmp_path / LIVE).rename(moved)  # nothing can be created any more
    (tmp_path / LIVE).write_text("")
    for number in range(3):
        writer.append(batch(10, T + number, link_type=LINK_RAW))
        writer.tick()
        time.sleep(0.1)
    (tmp_path / LIVE).unlink()
    moved.rename(tmp_path / LIVE)
    assert writer.error is not None
    writer.append(batch(10))
    writer.close()
    assert writer.dropped_packets + writer.written_packets == 50
    assert writer.dropped_packets >= 10
    recover(tmp_path)
    kept = sum(len(frames_of(segment.path)) for segment in segments(tmp_path, 0, 1 << 62))
    assert kept == writer.written_packets


def test_times_that_go_back_are_noted(tmp_path: Path) -> None:
    writer = SegmentWriter(open_store(tmp_path), Sequence(tmp_path), live=False)
    writer.append(batch_of([b"x" * 60] * 3, [T, T - 5, T + 5]))
    writer.close()
    (segment,) = segments(tmp_path, 0, 1 << 62)
    assert (segment.first_ns, segment.last_ns, segment.ordered) == (T - 5, T + 5, False)
    assert np.array_equal(next(iter(open_capture(segment.path))).time_ns, [T, T - 5, T + 5])


def test_recovery_cuts_a_segment_that_the_disk_had_not_taken_whole(tmp_path: Path) -> None:
    writer = SegmentWriter(open_store(tmp_path), Sequence(tmp_path), live=True)
    for number in range(3):
        writer.append(batch(10, T + number * 1000))
        writer.tick()
        wait_for(tmp_path, 10 * (number + 1))
    (pcap,) = (tmp_path / LIVE).glob("*.pcap")
    os.truncate(pcap, pcap.stat().st_size - 100)  # as after a power cut
    recover(tmp_path)
    (segment,) = segments(tmp_path, 0, 1 << 62)
    assert segment.packets == len(frames_of(segment.path)) == 20
    assert check(tmp_path).problems == []
