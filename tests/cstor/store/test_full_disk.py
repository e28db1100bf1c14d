"""A full disk: packets are dropped and counted, analytics go on, an alarm stands; with space it recovers by itself."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cstor.store.check import check
from cstor.store.layout import SECOND_NS
from cstor.store.ledger import read_clock, read_ledger
from tests.cstor.store.killing import NumberedMirror, Victim, packets_by_second, stored_numbers, victim

DISK_MB = 24
DISK_BYTES = DISK_MB << 20
FRAME_BYTES = 208  # of a stored packet
PATIENCE_S = 60.0
# A real node that keeps less in memory: a disk that stays full for seconds then costs what one of half a minute does.
SHORT_MEMORY = """
import sys
import cstor.store.held as held
held.HELD_SECONDS = 2
from cstor.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
# One whose segments are sealed, and whose disk is looked at, several times a second.
SHORT_SEGMENTS = """
import sys
import cstor.store.maintain as maintain
import cstor.store.segment as segment
segment.SEGMENT_SECONDS, maintain.LOOK_S = 0.3, 0.1
from cstor.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "cstor-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def fill(folder: Path) -> Path:
    """Another program takes what is left, to the last byte."""
    hog = folder / "hog"
    with hog.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
        try:
            while True:
                file.write(b"x")
        except OSError:
            return hog


def drops(one: Victim) -> int:
    return int(one.status().get("drops", {}).get("disk_full", 0))


def start(one: Victim) -> None:
    one.start()
    one.await_capture(observed=True)


def fill_for(one: Victim, mirror: NumberedMirror, seconds: float) -> None:
    """The disk is full until the alarm stands and so much time has passed; then there is space, and it recovers."""
    hog = fill(one.folder)
    before = mirror.sent
    until(lambda: one.status().get("problem"), "no alarm")
    until(lambda: drops(one) > 0, "no drop was counted")
    assert "cannot be written" in one.status()["problem"]
    time.sleep(seconds)
    assert mirror.sent > before
    assert one.process.poll() is None
    hog.unlink()
    until(lambda: one.status().get("problem") is None, "the alarm still stands")
    stored, now = one.status()["stored"]["packets"], time.time()
    until(lambda: one.status()["stored"]["packets"] > stored + 1000, "no packets are stored")
    until(lambda: read_clock(one.store).complete_until > now, "the clock stands still")


def test_analytics_of_a_full_disk_are_whole_when_there_is_space_again(small_disk: Path) -> None:
    with victim(small_disk) as one:
        start(one)
        with NumberedMirror(one.port) as mirror:
            until(lambda: mirror.sent > 8000, "nothing is sent")
            fill_for(one, mirror, seconds=3.0)
            dropped = drops(one)
        until(lambda: one.status()["sources"][0]["packets"] == mirror.sent, "not all that was sent was received")
        one.stop()
    report = check(one.store)
    assert report.problems == []
    assert sum(packets_by_second(one.store).values()) == mirror.sent
    numbers, _ = stored_numbers(one.store)
    assert len(set(numbers.tolist())) == len(numbers) == report.packets
    assert len(numbers) + dropped == mirror.sent
    assert len(read_ledger(one.store).observed) == 1


def test_what_memory_cannot_hold_is_not_observed(small_disk: Path) -> None:
    with victim(small_disk, program=SHORT_MEMORY) as one:
        start(one)
        with NumberedMirror(one.port) as mirror:
            until(lambda: mirror.sent > 8000, "nothing is sent")
            fill_for(one, mirror, seconds=8.0)
        one.stop()
    assert check(one.store).problems == []
    series, observed = packets_by_second(one.store), read_ledger(one.store).observed
    assert len(observed) >= 2
    first, last = observed[0][0], observed[-1][1]
    for t in range(first, last):
        sent_from, sent_to = mirror.numbers_between(t * SECOND_NS, (t + 1) * SECOND_NS)
        if any(start <= t < end for start, end in observed):
            assert series.get(t, 0) >= sent_to - sent_from
        else:
            assert series.get(t, 0) == 0
    lost = [t for t in range(first, last) if not any(start <= t < end for start, end in observed)]
    assert len(lost) >= 3


def test_the_oldest_packets_go_before_the_disk_is_full(small_disk: Path) -> None:
    with victim(small_disk, program=SHORT_SEGMENTS, retention='min_free = "12 MB"') as one:
        start(one)
        with NumberedMirror(one.port, per_turn=200) as mirror:
            until(lambda: mirror.sent > 2 * DISK_BYTES // FRAME_BYTES, "nothing is sent")
            status, free = one.status(), os.statvfs(small_disk)
        one.stop()
    assert free.f_bavail * free.f_frsize > 6 << 20
    assert (status["problem"], status["drops"].get("disk_full", 0)) == (None, 0)
    assert status["stored"]["bytes"] > DISK_BYTES
    assert sum(packets_by_second(one.store).values()) == mirror.sent
    report = check(one.store)
    assert report.problems == []
    assert 0 < report.packets < mirror.sent


def test_a_log_that_nobody_can_write_ends_nothing(tmp_path: Path) -> None:
    """As where it lies on the disk that is full: each write to it fails."""
    with victim(tmp_path, log=Path("/dev/full")) as one:
        one.start()
        with NumberedMirror(one.port):
            one.await_capture(observed=True)
        one.stop()
    assert check(one.store).problems == []
