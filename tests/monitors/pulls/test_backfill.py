""" "Now" is never late for history: what waits goes first, and one batch of four at most asks for old windows."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from monitors.models import Monitor, Node, Pull
from monitors.pulls import run as batches
from monitors.pulls.backfill import BACKFILL_S, LATE_S, ONE_OF, TURNS, Turns, may_ask, windows_of
from monitors.pulls.claim import BATCH, claim
from monitors.pulls.run import run, run_batch
from tests.monitors.clock import NOW
from tests.monitors.pulls.test_status import moment
from tests.monitors.samples import totals
from tests.monitors.stub_node import StubNode, series

HOUR = 3600


@pytest.fixture(autouse=True)
def _fresh_turns() -> None:
    TURNS.forget()


def older(call: dict[str, Any]) -> int:
    """How many windows of the past a call asked for."""
    newest = max(query["to"] for query in call["queries"])
    return sum(query["to"] < newest for query in call["queries"])


def test_it_takes_every_fourth_batch_while_others_are_due() -> None:
    turns = Turns()
    assert [turns.take(1, is_quiet=False) for _ in range(9)] == [True, *[False] * 3, True, *[False] * 3, True]
    assert turns.take(2, is_quiet=False), "each node by itself"
    assert turns.take(1, is_quiet=True)
    assert not turns.take(1, is_quiet=False)
    for _ in range(ONE_OF):
        turns.skip(1)
    assert turns.take(1, is_quiet=False), "batches without history count"


def test_it_asks_for_less_where_the_node_is_slow() -> None:
    assert [windows_of(ms, 1, 1, 200) for ms in (0, 1999, 2000, 8000)] == [48, 48, 12, 2]
    assert windows_of(0, 64, 64, 200) == 12
    assert windows_of(0, 64, 199, 200) == 0


@pytest.mark.django_db
def test_it_leaves_history_alone_while_a_head_is_late(node: Node) -> None:
    monitors = [Monitor.objects.create(name=f"m{n}") for n in range(2)]
    node.monitors.set(monitors)
    mine, other = (Pull.objects.create(monitor=m, node=node, next_run=moment(NOW + 9), lease=uuid4()) for m in monitors)
    assert may_ask(node.pk, mine.lease, 0.0, NOW)
    assert may_ask(node.pk, mine.lease, 0.0, NOW), "nobody is due while it would run"
    assert not may_ask(node.pk, mine.lease, LATE_S + 1, NOW), "it waited for a worker itself"
    Pull.objects.filter(pk=other.pk).update(next_run=moment(NOW + BACKFILL_S - 1))
    for _ in range(ONE_OF):
        TURNS.skip(node.pk)
    assert [may_ask(node.pk, mine.lease, 0.0, NOW) for _ in range(3)] == [True, False, False]
    Pull.objects.filter(pk=other.pk).update(next_run=moment(NOW - LATE_S - 1))
    assert not any(may_ask(node.pk, mine.lease, 0.0, NOW) for _ in range(2 * ONE_OF))
    Monitor.objects.filter(pk=other.monitor_id).update(enabled=False)
    assert may_ask(node.pk, mine.lease, 0.0, NOW), "what is switched off waits for nothing"


@pytest.mark.django_db
def test_it_gives_up_the_rest_of_a_slow_answer_once_the_heads_are_there(
    stub: StubNode, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitors.pulls.backfill.BACKFILL_S", 0.0)
    for t in range(NOW - 4 * HOUR, NOW, 600):
        stub.add(t, bytes_client=1)
    (lease,) = claim(NOW)
    run_batch(lease, clock=lambda: NOW)
    state = Pull.objects.get()
    assert state.covered == ((NOW - HOUR, NOW),), "the head, and nothing was waited for"
    assert (state.error, state.next_run.timestamp() <= NOW + 1) == ("", True)


@pytest.mark.django_db
def test_it_is_on_time_under_load_while_history_is_fetched(stub: StubNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 monitors on one node, each ten seconds; one has eight hours to fetch. Each second a tick, and batches as long
    as anything is due."""
    monkeypatch.setattr(batches, "MAX_ROWS", 2000)
    node = Node.objects.create(name="stub", url=stub.url)
    monitors = [
        Monitor(name=f"m{n}", slug=f"m{n}", keys=[], resolution=10, interval_s=10, filter="" if n == 0 else "port 1")
        for n in range(200)
    ]
    node.monitors.set(Monitor.objects.bulk_create(monitors))
    for t in range(NOW - 8 * HOUR, NOW, 60):
        stub.add(t, bytes_client=1)
    stub.kept_from = NOW - 8 * HOUR
    # All but the first have their history: they hold the present only.
    held = ((NOW - 8 * HOUR, NOW - 10),)
    Pull.objects.bulk_create(
        Pull(monitor=m, node=node, next_run=moment(NOW), covered=() if m.name == "m0" else held) for m in monitors
    )
    stub.answer_with = lambda query: series(stub, query) if not query["filter"] else _empty(stub, query)
    late = 0.0
    for second in range(1, 31):
        now = NOW + second
        stub.complete_until = now
        for lease in claim(now):
            due = Pull.objects.filter(lease=lease.lease).order_by("next_run").values_list("next_run", flat=True)
            late = max(late, now - due[0].timestamp())
            run(lease, clock=lambda now=now: now)
    assert late <= 2, "every head was taken at the next tick"
    (first,) = Monitor.objects.filter(name="m0")
    assert len(totals(first, 10)) == 8 * 60, "and the history is there"
    assert all(len(call["queries"]) <= 200 for call in stub.calls)
    full = [call for call in stub.calls if len(call["queries"]) - older(call) >= BATCH]
    assert full, "there were full batches"


def _empty(stub: StubNode, query: dict[str, Any]) -> dict[str, Any]:
    head = {"id": query["id"], "step": query["step"], "complete_until": stub.complete, "kept_from": stub.kept_from}
    return {**head, "observed": [[query["from"], stub.complete]], "revisions": {}, "columns": {"t": []}}


@pytest.mark.django_db
def test_it_asks_for_the_present_alone_after_a_batch_waited_for_a_worker(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 3 * HOUR)
    stub.complete_until = NOW + 10
    (lease,) = claim(NOW)
    run(lease, clock=lambda: NOW + 10)
    assert [(query["from"], query["to"]) for query in stub.calls[0]["queries"]] == [(NOW, NOW + 10)]


@pytest.mark.django_db
def test_it_brings_everybody_the_present_first_after_an_outage(
    stub: StubNode, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty monitors were not pulled for an hour: their newest windows are so short that one call brings them all."""
    monkeypatch.setattr(batches, "MAX_ROWS", 6000)
    monitors = [Monitor(name=f"m{n}", slug=f"m{n}", top_n=3, resolution=10, interval_s=10) for n in range(60)]
    node.monitors.set(Monitor.objects.bulk_create(monitors))
    for t in range(NOW - HOUR, NOW, 10):
        stub.add(t, bytes_client=1)
    Pull.objects.bulk_create(
        Pull(monitor=m, node=node, next_run=moment(NOW), covered=((NOW - HOUR, NOW - HOUR + 10),)) for m in monitors
    )
    (lease,) = claim(NOW)
    run_batch(lease, clock=lambda: NOW)
    assert {pull.covered[-1][1] for pull in Pull.objects.all()} == {NOW}
    assert {query["to"] - query["from"] for query in stub.calls[0]["queries"][:60]} <= {120}
