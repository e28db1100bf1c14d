"""kill -9, hundreds of times: nodes under numbered packets and under the lab's traffic, and ingests.

SOAK_KILLS says how often each (200); `make soak OPTIONS="-k ingest"` chooses.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cstor.store.check import check
from tests.cstor.api.server import ROOT
from tests.cstor.store.killing import (
    GRACE_S,
    HURRIED,
    kill_often,
    killed_ingests,
    verify,
    victim,
)

KILLS = int(os.environ.get("SOAK_KILLS", "200"))
PER_STORE = 50


@pytest.mark.parametrize("seed", range(-(-KILLS // PER_STORE)))
def test_kill_9_loses_at_most_the_last_second(tmp_path: Path, seed: int) -> None:
    with victim(tmp_path) as one:
        costs = verify(one, kill_often(one, min(KILLS, PER_STORE), 100 + seed, longest_s=2.0))
        print(costs)
        assert costs["median_s"] <= GRACE_S
        assert check(one.store).problems == []


@pytest.mark.parametrize("seed", range(-(-KILLS // PER_STORE)))
def test_kill_9_while_it_publishes_seals_merges_and_removes(tmp_path: Path, seed: int) -> None:
    with victim(tmp_path, program=HURRIED, retention='packets_bytes = "2 MB"') as one:
        mirror = kill_often(one, min(KILLS, PER_STORE), 200 + seed, longest_s=2.0)
        print(verify(one, mirror, has_packets=False))
        assert check(one.store).problems == []


def test_kill_9_under_the_traffic_of_the_lab(tmp_path: Path) -> None:
    """Connections with timings, losses and failures: counts and bins of every hour stay of one mind."""
    chance = random.Random(3)
    with victim(tmp_path, program=HURRIED) as one:
        one.start()
        one.await_capture()
        command = [sys.executable, "-m", "lab", "run", "--to", f"127.0.0.1:{one.port}", "--rate", "3"]
        lab = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.0, 3.0))
                one.kill()
                one.start()
                if chance.random() < 0.8:
                    one.await_capture()
            one.await_capture(observed=True)
        finally:
            lab.terminate()
            lab.wait(30)
        one.stop()
    report = check(one.store)
    assert report.problems == []
    assert report.files["latency"] and report.files["sessions"]


def test_kill_9_of_an_ingest_damages_nothing(tmp_path: Path) -> None:
    killed_ingests(tmp_path, times=KILLS, seed=4)
