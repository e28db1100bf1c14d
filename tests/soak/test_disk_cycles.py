"""A disk that is full again and again, for moments and for longer than memory lasts, under load."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from cstor.store.check import check
from cstor.store.layout import SECOND_NS
from cstor.store.ledger import read_ledger
from tests.cstor.store.killing import NumberedMirror, packets_by_second, stored_numbers, victim
from tests.cstor.store.test_full_disk import SHORT_MEMORY, fill_for, small_disk, start, until

CYCLES = int(os.environ.get("SOAK_DISK_CYCLES", "40"))

__all__ = ["small_disk"]


def test_it_recovers_every_time(small_disk: Path) -> None:
    chance = random.Random(5)
    with victim(small_disk, program=SHORT_MEMORY, retention='packets_bytes = "4 MB"') as one:
        start(one)
        with NumberedMirror(one.port) as mirror:
            until(lambda: mirror.sent > 8000, "nothing is sent")
            for _ in range(CYCLES):
                fill_for(one, mirror, seconds=chance.choice([0.1, 1.0, 6.0]))
                time.sleep(chance.uniform(0.0, 2.0))
        one.stop()
    assert check(one.store).problems == []
    numbers, _ = stored_numbers(one.store)
    assert len(set(numbers.tolist())) == len(numbers)
    series = packets_by_second(one.store)
    for start_s, end_s in read_ledger(one.store).observed:
        first, last = mirror.numbers_between(start_s * SECOND_NS, end_s * SECOND_NS)
        counted = sum(series.get(t, 0) for t in range(start_s, end_s))
        assert last - first <= counted <= last - first + 2 * mirror.per_turn


def test_a_full_disk_and_a_kill_at_once(small_disk: Path) -> None:
    chance = random.Random(6)
    with victim(small_disk, program=SHORT_MEMORY, retention='packets_bytes = "4 MB"') as one:
        start(one)
        with NumberedMirror(one.port) as mirror:
            for _ in range(CYCLES):
                hog = fill_some(small_disk)
                time.sleep(chance.uniform(0.0, 3.0))
                one.kill()
                one.start()  # on a disk that is full
                if chance.random() < 0.5:
                    hog.unlink()
                    one.await_capture()
                else:
                    time.sleep(chance.uniform(0.0, 3.0))
                    assert one.process and one.process.poll() is None, one.said()
                    hog.unlink()
                    one.await_capture()
            assert mirror.sent
            one.await_capture(observed=True)
        one.stop()
    assert check(one.store).problems == []


def fill_some(folder: Path) -> Path:
    """Another program takes what is left."""
    hog = folder / "hog"
    with hog.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return hog
