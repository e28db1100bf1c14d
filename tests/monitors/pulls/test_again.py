"""History pulled again on request: replaced window by window, and never lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monitors.intervals import length
from monitors.models import Group, Monitor, Pull, Rollup
from monitors.pulls.again import keep_as_it_is, pull_again
from monitors.pulls.backfill import TURNS
from monitors.pulls.plan import Extent, State, Window, plan
from monitors.series.rollup import roll_up
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import rows, totals
from tests.monitors.stub_node import StubNode, series

pytestmark = pytest.mark.django_db
HOUR = 3600


@pytest.fixture(autouse=True)
def _fresh_turns() -> None:
    TURNS.forget()


def edited(stub: StubNode, make_monitor: Callable[..., Monitor], hours: int = 3) -> Monitor:
    """A monitor of two services that was pulled and then asks for one of them only."""
    monitor = make_monitor(keys=["server_port"])
    for t in range(NOW - hours * HOUR, NOW, 600):
        stub.add(t, port=80, bytes_client=1)
        stub.add(t, port=443, bytes_client=10)
    pull()
    assert set(totals(monitor, 10).values()) == {11}
    monitor.refresh_from_db()
    monitor.filter = "port 443"
    monitor.save()
    return monitor


def pulls_until_done(start: int, most: int = 12) -> int:
    for number in range(1, most):
        stub_now = start + 10 * number
        pull(stub_now)
        if not any(state.stale for state in Pull.objects.all()):
            return number
    raise AssertionError(Pull.objects.values_list("stale", flat=True))


def test_it_keeps_the_history_of_an_edited_monitor_unless_asked(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    monitor = edited(stub, make_monitor)
    pull(NOW + 60)
    assert set(totals(monitor, 10).values()) == {11}


def test_it_replaces_all_of_it_when_asked(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = edited(stub, make_monitor)
    before = Pull.objects.get().covered
    assert pull_again([monitor.pk], None, None, NOW) == 3 * HOUR
    roll_up(NOW + 100)
    Rollup.objects.all().delete()
    pulls_until_done(NOW)
    assert set(totals(monitor, 10).values()) == {10}
    assert len(totals(monitor, 10)) == 18, "nothing is lost"
    assert Pull.objects.get().covered == before
    ports = Group.objects.filter(monitor_id=monitor.pk, revision=2).values_list("server_port", flat=True)
    assert list(ports) == [443]
    assert {row[1] for row in rows(monitor, 10)} == {0, Group.objects.get(revision=2).id}
    assert Rollup.objects.filter(monitor_id=monitor.pk, step=60).count() == 18, "every run is folded anew"
    for later in range(8):
        roll_up(NOW + 100_000 * later)
    assert set(totals(monitor, 60).values()) == {10}


def test_it_replaces_a_range_widened_to_whole_buckets(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = edited(stub, make_monitor)
    assert pull_again([monitor.pk], NOW - HOUR + 3, NOW - 1801, NOW) == 1800
    pulls_until_done(NOW)
    found = totals(monitor, 10)
    assert {t: n for t, n in found.items() if n == 10} == {NOW - HOUR + 600 * n: 10 for n in range(3)}
    assert len(found) == 18


def test_it_stays_old_where_the_node_no_longer_has_it(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = edited(stub, make_monitor)
    stub.rows = [row for row in stub.rows if row.t >= NOW - HOUR]
    stub.kept_from = NOW - HOUR
    stub.observed = [[NOW - HOUR, NOW]]
    pull_again([monitor.pk], None, None, NOW)
    pulls_until_done(NOW)
    found = totals(monitor, 10)
    assert {n for t, n in found.items() if t < NOW - HOUR} == {11}
    assert {n for t, n in found.items() if t >= NOW - HOUR} == {10}
    state = Pull.objects.get()
    assert (length(state.covered), state.lost) == (3 * HOUR, ())


def test_it_keeps_rows_of_a_time_in_which_the_node_now_knows_nothing(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    """Its disk was repaired: the middle is gone, and only what it observed says so."""
    monitor = edited(stub, make_monitor, hours=1)
    hole = (NOW - 2400, NOW - 1200)
    stub.rows = [row for row in stub.rows if not hole[0] <= row.t < hole[1]]
    stub.observed = [[NOW - HOUR, hole[0]], [hole[1], NOW]]
    pull_again([monitor.pk], None, None, NOW)
    pulls_until_done(NOW)
    found = totals(monitor, 10)
    assert len(found) == 6
    assert {t for t, n in found.items() if n == 11} == {t for t in found if hole[0] <= t < hole[1]}


def test_it_changes_nothing_while_the_node_does_not_answer_for_it(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    monitor = edited(stub, make_monitor)
    pull_again([monitor.pk], None, None, NOW)
    stub.answer_with = lambda query: {"id": query["id"], "error": "no"} if query["from"] < NOW else series(stub, query)
    pull(NOW + 10)
    assert set(totals(monitor, 10).values()) == {11}
    assert length(Pull.objects.get().stale) == 3 * HOUR
    stub.answer_with = None
    Pull.objects.update(failures=0, next_run="2000-01-01T00:00Z")
    pulls_until_done(NOW + 600)
    assert set(totals(monitor, 10).values()) == {10}


def test_it_leaves_what_retention_removed(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = edited(stub, make_monitor)
    Pull.objects.update(frozen=((NOW - 3 * HOUR, NOW - HOUR),))
    assert pull_again([monitor.pk], None, None, NOW) == HOUR


def test_it_can_be_called_off(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = edited(stub, make_monitor)
    pull_again([monitor.pk], None, None, NOW)
    assert keep_as_it_is([monitor.pk]) == 1
    pull(NOW + 10)
    assert set(totals(monitor, 10).values()) == {11}


def test_it_plans_the_newest_first_in_aligned_windows() -> None:
    covered = ((NOW - 3 * HOUR, NOW),)
    state = State(covered=covered, stale=((NOW - 2 * HOUR - 100, NOW - 600),))
    extent = Extent(oldest=NOW - 3 * HOUR)
    found = plan(state, extent, NOW, 10, 2)
    assert found.windows == (
        Window(NOW - HOUR, NOW - 600, replace=True, again=True),
        Window(NOW - 2 * HOUR, NOW - HOUR, replace=True, again=True),
    )
    assert found.behind
    assert found.older == 2
    assert plan(state, extent, NOW, 10, 0).windows == ()
    late = plan(state, Extent(oldest=NOW - HOUR), NOW, 10, 5)
    assert late.settled == ((NOW - 2 * HOUR - 100, NOW - HOUR),)


def test_it_does_not_replace_an_hour_twice_in_one_call() -> None:
    hour = NOW - 2 * HOUR
    state = State(covered=((NOW - 3 * HOUR, NOW),), stale=((NOW - 3 * HOUR, NOW),), revisions={str(hour): [0, 1]})
    found = plan(state, Extent(oldest=NOW - 3 * HOUR), NOW, 10, 10)
    assert [(window.start, window.again) for window in found.windows] == [
        (hour, False),
        (NOW - HOUR, True),
        (NOW - 3 * HOUR, True),
    ]
