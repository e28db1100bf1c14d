"""Roll-ups by several workers, and by one that is killed: every run is folded once, from all that is there."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import connection

from cstor.metrics.histogram import unpack
from monitors.models import Monitor, Pull, Rollup
from monitors.series import fold, partitions, rollup
from monitors.series.rollup import roll_up
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import rows, totals
from tests.monitors.stub_node import StubNode
from tests.source import ROOT

DAY = 86_400
LATER = NOW + 3 * DAY
TIERS = (60, 600, 3600, DAY)


def in_threads(*works: Callable[[], object]) -> None:
    """All at once, each with a connection of its own."""
    failed: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.django_db(transaction=True)
def test_it_folds_every_run_once_however_many_work(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitors = [make_monitor(f"m{n}") for n in range(6)]
    for t in range(NOW - 3600, NOW, 300):
        stub.add(t, bytes_client=1, response_time=[1_000_000])
    pull()
    in_threads(*[lambda: roll_up(LATER, max_runs=3)] * 3)
    # What one had in its hands was left by the others, who may have been done before a coarser run was free.
    roll_up(LATER)
    assert not Rollup.objects.exists()
    for monitor in monitors:
        assert [sum(totals(monitor, step).values()) for step in TIERS] == [12] * 4
        (row,) = rows(monitor, DAY, "response_time", group_id=0)
        assert unpack(row[3])[1].tolist() == [12]


@pytest.mark.django_db
def test_few_runs_share_a_transaction_and_late_pulls_come_between(
    stub: StubNode, make_monitor: Callable[..., Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(rollup.RUNS_TOGETHER + 1):
        make_monitor(f"m{number}", steps=[60])
    stub.add(NOW - 3000, bytes_client=1)
    pull()
    slept: list[float] = []
    clock = SimpleNamespace(time=time.time, monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(rollup, "time", clock)
    took: list[float] = []

    def between(seconds: float) -> None:
        took.append(seconds)
        rollup.give_way(2.0 * len(took))

    Pull.objects.update(next_run="2099-01-01T00:00Z")
    roll_up(LATER, between=between)
    assert len(took) == 2 * len(TIERS) and slept == [], "each tier's mark was there, and nobody waited"
    Pull.objects.update(next_run="2020-01-01T00:00Z")
    rollup.give_way(1.0)
    assert sum(slept) == 9.0
    rollup.give_way(60.0)
    assert sum(slept) == 9.0 + rollup.MOST_PAUSE_S


@pytest.mark.django_db
def test_a_run_that_was_marked_again_is_left_to_the_next_look(stub: StubNode, monitor: Monitor) -> None:
    """Else a worker with an old list would fold it, and the run above, folded by another, would never know."""
    stub.add(NOW - 3000, bytes_client=1)
    pull()
    due = rollup._due(60, LATER, 500)
    assert due
    Rollup.objects.filter(step=60).update(due=dt.datetime.fromtimestamp(LATER + 15, dt.UTC))
    assert rollup._fold_claimed(60, due, LATER) == 0
    partitions.ensure(60, {run for _, run in due})
    assert rollup._fold_claimed(60, due, LATER + 15) == len(due)


@pytest.mark.django_db(transaction=True)
def test_it_misses_no_rows_that_come_while_it_folds(stub: StubNode, monitor: Monitor) -> None:
    for round_number in range(6):
        now = NOW + 20 * round_number
        stub.add(now - 15, bytes_client=1)
        stub.complete_until = now
        in_threads(lambda now=now: pull(now), lambda: roll_up(LATER))  # type: ignore[misc]
    roll_up(LATER)
    roll_up(LATER + DAY)
    assert sum(totals(monitor, 10).values()) == 6
    assert [sum(totals(monitor, step).values()) for step in TIERS] == [6] * 4


@pytest.mark.django_db(transaction=True)
def test_it_folds_again_what_a_killed_worker_had_in_its_hands(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100, bytes_client=5)
    pull()
    before = set(Rollup.objects.values_list("step", "run"))
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}?host={database['HOST']}"
    worker = subprocess.run(
        [sys.executable, "-m", "tests.monitors.killed_rollup", str(LATER)],
        env=os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "cclear.settings"},
        cwd=ROOT,
        check=False,
    )
    assert worker.returncode == 9
    assert totals(monitor, 60) == {}
    assert set(Rollup.objects.values_list("step", "run")) == before
    roll_up(LATER)
    assert [sum(totals(monitor, step).values()) for step in TIERS] == [5] * 4


@pytest.mark.django_db
def test_it_folds_the_same_in_blocks_of_any_size(
    stub: StubNode, make_monitor: Callable[..., Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's answer is cut anywhere; so are the rows of a block."""
    whole, cut = make_monitor("whole", top_n=50), make_monitor("cut", top_n=50)
    for n in range(30):
        stub.add(NOW - 60 + n, client=f"10.0.0.{n}", bytes_client=n, response_time=[1_000_000 * (n + 1)] * 3)
    pull()
    Rollup.objects.filter(monitor_id=cut.pk).update(due="2099-01-01T00:00Z")
    roll_up(LATER)
    monkeypatch.setattr(fold, "BLOCK_BYTES", 3000)
    Rollup.objects.update(due="2000-01-01T00:00Z")
    roll_up(LATER)
    asked = ("bytes_client", "response_time_min", "response_time_max", "response_time")
    for step in TIERS:
        assert rows(cut, step, *asked) == rows(whole, step, *asked) != []
