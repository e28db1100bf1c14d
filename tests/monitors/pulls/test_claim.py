"""Leases: any number of beats, workers and messages, and still each pull runs once."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from monitors.models import Monitor, Node, Pull
from monitors.pulls.claim import BATCH, LEASE_S, claim, claim_status, due_now, waiting_s
from monitors.pulls.run import run
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import totals
from tests.monitors.stub_node import StubNode
from tests.source import ROOT


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own with a connection of its own, all starting together."""
    barrier, results = Barrier(len(works)), [None] * len(works)

    def start(number: int) -> None:
        try:
            barrier.wait()
            results[number] = works[number]()
        finally:
            connection.close()

    threads = [Thread(target=start, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def many(transactional_db: None, stub: StubNode) -> list[Monitor]:
    """100 monitors on two nodes; one of the nodes is down."""
    nodes = [Node.objects.create(name="up", url=stub.url), Node.objects.create(name="down", url="http://127.0.0.1:9")]
    monitors = Monitor.objects.bulk_create(
        Monitor(name=f"m{n}", slug=f"m{n}", keys=[], resolution=10, interval_s=10) for n in range(100)
    )
    for node in nodes:
        node.monitors.set(monitors)
    return monitors


def test_it_leases_each_pull_once_to_two_ticks(many: list[Monitor]) -> None:
    results = at_once(*[lambda: claim(NOW)] * 4)
    leases = [lease for found in results for lease in found]
    assert sorted(lease.node_id for lease in leases) == sorted(Node.objects.values_list("pk", flat=True))
    for lease in leases:
        assert Pull.objects.filter(node_id=lease.node_id, lease=lease.lease).count() == BATCH
    assert claim(NOW + 1) == [], "one batch per node is in flight"


def test_it_runs_the_next_batch_of_a_node_at_once(many: list[Monitor], stub: StubNode) -> None:
    stub.add(NOW - 100, bytes_client=1)
    leases = {lease.node_id: lease for lease in claim(NOW)}
    up = Node.objects.get(name="up")
    results = run(leases[up.pk], clock=lambda: NOW)
    assert [result.pulls for result in results] == [64, 36]
    assert [len(call["queries"]) for call in stub.calls] == [64, 36], "one call per batch"
    assert all(totals(monitor, 10) == {NOW - 100: 1} for monitor in many)


def test_it_makes_a_lease_that_ran_out_due_again(many: list[Monitor]) -> None:
    first = claim(NOW)
    assert claim(NOW + LEASE_S - 1) == []
    second = claim(NOW + LEASE_S + 1)
    assert len(second) == 2
    assert not set(first) & set(second)


def test_it_stores_once_what_two_workers_pull_at_the_same_time(many: list[Monitor], stub: StubNode) -> None:
    stub.add(NOW - 100, bytes_client=5)
    up = Node.objects.get(name="up")
    (lease,) = (lease for lease in claim(NOW) if lease.node_id == up.pk)
    at_once(*[lambda: run(lease, clock=lambda: NOW)] * 3)
    assert all(totals(monitor, 10) == {NOW - 100: 5} for monitor in many)
    assert {state.covered for state in Pull.objects.filter(node=up)} == {((NOW - 100, NOW),)}


def test_it_loses_and_doubles_nothing_when_a_worker_is_killed(many: list[Monitor], stub: StubNode) -> None:
    stub.add(NOW - 100, bytes_client=5)
    up = Node.objects.get(name="up")
    (lease,) = (lease for lease in claim(NOW) if lease.node_id == up.pk)
    Pull.objects.update(lease_until="2099-01-01T00:00Z")
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}?host={database['HOST']}"
    worker = subprocess.run(
        [sys.executable, "-m", "tests.monitors.killed_worker", str(up.pk), str(lease.lease)],
        env=os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "cclear.settings"},
        cwd=ROOT,
        check=False,
    )
    assert worker.returncode == 9
    assert all(totals(monitor, 10) == {} for monitor in many)
    assert {state.covered for state in Pull.objects.all()} == {()}
    Pull.objects.update(lease_until="2000-01-01T00:00Z")
    print(
        pull(NOW + 70),
        [(s.error, s.covered, s.lease_until) for s in Pull.objects.filter(node=up)][:3],
        totals(many[0], 10),
        Node.objects.values(),
    )
    assert all(totals(monitor, 10) == {NOW - 100: 5} for monitor in many)


@pytest.mark.django_db
def test_it_leaves_alone_what_is_switched_off(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    make_monitor("off", enabled=False)
    node = Node.objects.get()
    other = Node.objects.create(name="other", url="http://127.0.0.1:9", enabled=False)
    make_monitor("elsewhere", nodes=[other])
    assert claim(NOW) == []
    monitor = make_monitor("on")
    assert [lease.node_id for lease in claim(NOW)] == [node.pk]
    Pull.objects.update(lease=None, lease_until=None)
    monitor.nodes.clear()
    assert claim(NOW) == [], "no target any more"


@pytest.mark.django_db
def test_it_knows_how_long_pulls_wait_for_a_worker(node: Node, make_monitor: Callable[..., Monitor]) -> None:
    assert waiting_s(NOW) == 0
    for name in ("first", "second"):
        make_monitor(name)
    claim(NOW)
    assert waiting_s(NOW + 4) == 4
    Pull.objects.filter(monitor__name="first").update(failures=1)
    Pull.objects.filter(monitor__name="second").update(next_run="2099-01-01T00:00Z")
    assert waiting_s(NOW + 4) == 0, "a back-off is no waiting"
    Pull.objects.update(failures=0)
    Node.objects.update(retry_at="2099-01-01T00:00Z")
    assert waiting_s(NOW + 4) == 0, "nor is a breaker"
    Node.objects.update(retry_at=None)
    Pull.objects.update(next_run=dt.datetime.fromtimestamp(NOW, dt.UTC))
    others = [Node.objects.create(name=name, url="http://127.0.0.1:9") for name in ("quick", "quicker")]
    make_monitor("elsewhere", nodes=others)
    claim(NOW)
    Pull.objects.filter(node__in=others).update(next_run="2099-01-01T00:00Z")
    assert waiting_s(NOW + 4) == 0, "one slow node of three"


@pytest.mark.django_db
def test_it_pulls_now_in_spite_of_back_off_and_breaker(stub: StubNode, monitor: Monitor) -> None:
    stub.stop()
    pull()
    Node.objects.update(retry_at="2099-01-01T00:00Z")
    assert claim(NOW) == []
    assert due_now([monitor.pk], now=NOW) == 1
    assert len(claim(NOW)) == 1
    stub.start()


@pytest.mark.django_db
def test_it_asks_for_the_health_of_each_node_once_in_a_while(node: Node) -> None:
    assert claim_status(NOW) == [node.pk]
    assert claim_status(NOW + 5) == []
    assert claim_status(NOW + 16) == [node.pk]
