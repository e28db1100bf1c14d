"""kill -9 at any moment costs at most the last second and damages nothing. Short forms; `make soak` kills hundreds."""

from __future__ import annotations

from pathlib import Path

from cstor.store.check import check
from cstor.store.layout import LIVE
from cstor.store.ledger import read_ledger
from tests.cstor.store.killing import (
    GRACE_S,
    HURRIED,
    NumberedMirror,
    kill_often,
    killed_ingests,
    verify,
    victim,
)


def test_kill_9_loses_at_most_the_last_second(tmp_path: Path) -> None:
    with victim(tmp_path) as one:
        mirror = kill_often(one, times=5, seed=1, longest_s=1.0)
        costs = verify(one, mirror)
        assert costs["kills"] >= 2
        assert costs["median_s"] <= GRACE_S, costs
        report = check(one.store)
        assert report.problems == report.notes == []
        assert report.kills == len(read_ledger(one.store).kills) >= len(one.kills)
        assert {path.name for path in (one.store / LIVE).iterdir()} <= {"status.json"}


def test_kill_9_while_it_publishes_seals_merges_and_removes(tmp_path: Path) -> None:
    with victim(tmp_path, program=HURRIED, retention='packets_bytes = "1 MB"') as one:
        mirror = kill_often(one, times=4, seed=2, longest_s=1.5)
        verify(one, mirror, has_packets=False)
        assert check(one.store).problems == []


def test_kill_9_of_an_ingest_damages_nothing(tmp_path: Path) -> None:
    killed_ingests(tmp_path, times=3, seed=3)


def test_check_beside_a_running_node_cries_no_wolf(tmp_path: Path) -> None:
    """While files are published, sealed, merged and removed many times a second."""
    with victim(tmp_path, program=HURRIED, retention='packets_bytes = "1 MB"') as one:
        one.start()
        one.await_capture(observed=True)
        with NumberedMirror(one.port):
            for _ in range(8):
                report = check(one.store)
                assert report.problems == [], "\n".join(map(str, report.problems))
                assert report.notes == [], "\n".join(map(str, report.notes))
        one.stop()
