"""Messages that come twice, late or never, two beats at once, a worker that dies: totals equal the node's."""

from __future__ import annotations

import random
import time
from uuid import uuid4

import pytest

from cclear.celery import app
from monitors import tasks
from monitors.models import Monitor, Node, Pull
from monitors.pulls.claim import LEASE_S, Lease, claim
from monitors.pulls.run import run
from tests.monitors.clock import NOW
from tests.monitors.pulls.test_claim import at_once
from tests.monitors.samples import totals
from tests.monitors.stub_node import StubNode

MONITORS = 5


@pytest.fixture
def monitors(transactional_db: None, stub: StubNode) -> list[Monitor]:
    node = Node.objects.create(name="stub", url=stub.url)
    made = [
        Monitor.objects.create(name=f"m{n}", resolution=10, interval_s=10, keys=["client_ip"]) for n in range(MONITORS)
    ]
    node.monitors.set(made)
    return made


def truth(stub: StubNode) -> dict[int, int]:
    found: dict[int, int] = {}
    for row in stub.rows:
        found[row.t // 10 * 10] = found.get(row.t // 10 * 10, 0) + row.bases["bytes_client"]
    return found


def test_it_counts_everything_once_whatever_happens_to_messages(monitors: list[Monitor], stub: StubNode) -> None:
    chance = random.Random(4)
    late: list[Lease] = []
    for number in range(12):
        now = NOW + 10 * number
        for second in range(10):
            stub.add(now - 10 + second, client=f"10.0.0.{chance.randrange(4)}", bytes_client=chance.randrange(1, 1000))
        stub.complete_until = now
        leases = [lease for found in at_once(lambda now=now: claim(now), lambda now=now: claim(now)) for lease in found]
        fate = chance.choice(["once", "twice", "dropped", "late"])
        if fate == "dropped":
            continue
        if fate == "late":
            late += leases
            continue
        jobs = [lease for lease in leases for _ in range(2 if fate == "twice" else 1)]
        at_once(*[lambda lease=lease, now=now: run(lease, clock=lambda: now) for lease in jobs])
        for lease in late:
            run(lease, clock=lambda now=now: now)
    end = NOW + 120 + 2 * LEASE_S
    stub.complete_until = end
    for lease in claim(end):
        run(lease, clock=lambda: end)
    for lease in late:
        assert run(lease, clock=lambda: end) == [], "long done by somebody else"
    for monitor in monitors:
        assert totals(monitor, 10) == truth(stub)
    assert {pull.covered for pull in Pull.objects.all()} == {((NOW - 10, end),)}


def test_it_takes_two_ticks_at_once_for_one(monitors: list[Monitor], stub: StubNode) -> None:
    t = int(time.time()) // 10 * 10 - 60
    stub.add(t, bytes_client=7)
    stub.complete_until = None
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    try:
        at_once(tasks.tick, tasks.tick, tasks.tick)
    finally:
        app.conf.task_always_eager = app.conf.task_eager_propagates = False
    assert all(totals(monitor, 10) == {t: 7} for monitor in monitors)
    assert len(stub.calls) == 1


def test_it_ignores_a_lease_that_nobody_gave(monitors: list[Monitor], stub: StubNode) -> None:
    assert run(Lease(Node.objects.get().pk, uuid4()), clock=lambda: NOW) == []
    assert run(Lease(999_999, uuid4()), clock=lambda: NOW) == []
    assert stub.calls == []
