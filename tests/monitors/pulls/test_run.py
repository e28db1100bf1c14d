"""A pull from the HTTP call to the rows: exactly once, and whatever fails stays where it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitors.models import Group, Monitor, Node, Observed, Pull, Rollup
from monitors.pulls import run as batches
from monitors.pulls.claim import claim
from monitors.pulls.run import run
from monitors.series import copy, write
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import rows, totals
from tests.monitors.stub_node import StubNode, series

pytestmark = pytest.mark.django_db


def test_it_stores_groups_other_and_total(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = make_monitor(top_n=1, keys=["client_ip", "server_port"])
    stub.add(NOW - 100, client="10.0.0.1", bytes_client=900, packets_client=9)
    stub.add(NOW - 100, client="10.0.0.2", bytes_client=50, packets_client=1, response_time=[1_000_000])
    stub.add(NOW - 95, client="10.0.0.3", bytes_client=40, packets_client=1, response_time=[2_000_000, 3_000_000])
    (result,) = pull()
    assert (result.pulls, result.rows, result.failed, result.error) == (1, 3, 0, "")
    t = NOW - 100
    group = Group.objects.get(monitor_id=monitor.pk)
    assert (group.client_ip, group.server_port, group.server_ip, group.revision) == ("10.0.0.1", 443, None, 1)
    node_id = Node.objects.get().pk
    found = sorted(rows(monitor, 10, "bytes_client", "response_time_count"), key=lambda row: row[3])
    assert found == [
        (t, OTHER_GROUP, node_id, 90, 3),
        (t, group.id, node_id, 900, None),
        (t, TOTAL_GROUP, node_id, 990, 3),
    ]


def test_it_covers_what_is_complete_down_to_the_step(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    stub.complete_until = NOW - 3.5
    pull()
    state = Pull.objects.get()
    assert state.covered == ((NOW - 100, NOW - 10),)
    assert Observed.objects.get().observed == ((NOW - 100, NOW - 10),)
    assert NOW < state.next_run.timestamp() <= NOW + 10


def test_it_leaves_rows_of_unfinished_buckets_to_the_next_pull(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 20, bytes_client=1)
    stub.add(NOW - 10, bytes_client=2)
    stub.complete_until = NOW - 5
    pull()
    assert totals(monitor, 10) == {NOW - 20: 1}
    stub.add(NOW - 1, bytes_client=4)
    stub.complete_until = NOW
    pull(NOW + 10)
    assert totals(monitor, 10) == {NOW - 20: 1, NOW - 10: 6}


def test_it_pulls_history_before_the_present_of_a_new_monitor(stub: StubNode, monitor: Monitor) -> None:
    for t in range(NOW - 3 * 3600, NOW, 10):
        stub.add(t, bytes_client=10)
    results = pull()
    assert sum(result.rows for result in results) == 2 * 3 * 360
    assert Pull.objects.get().covered == ((NOW - 3 * 3600, NOW),)
    first, *_, last = stub.calls[0]["queries"]
    assert (first["from"], first["to"]) == (NOW - 3600, NOW), "the newest window comes first"
    assert last["to"] == NOW - 2 * 3600


def test_it_asks_nothing_twice(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    pull()
    pull(NOW + 20)
    asked = [(query["from"], query["to"]) for call in stub.calls for query in call["queries"]]
    assert asked == [(NOW - 100, NOW), (NOW, NOW + 20)]


def test_it_does_nothing_for_a_doubled_task(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    (lease,) = claim(NOW)
    run(lease, clock=lambda: NOW)
    before = rows(monitor, 10)
    assert run(lease, clock=lambda: NOW) == []
    assert rows(monitor, 10) == before
    assert len(stub.calls) == 1


def test_it_writes_nothing_when_the_lease_went_to_someone_else(
    stub: StubNode, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was stopped for longer than its lease wakes up after another has done its work."""
    stub.add(NOW - 100, bytes_client=7)
    (late,) = claim(NOW)
    fetch = batches._fetch

    def fetch_then_sleep(*args: Any) -> str:
        error = fetch(*args)
        monkeypatch.setattr(batches, "_fetch", fetch)
        Pull.objects.update(lease=None, lease_until=None)
        pull(NOW + 1)
        return error

    monkeypatch.setattr(batches, "_fetch", fetch_then_sleep)
    run(late, clock=lambda: NOW)
    assert totals(monitor, 10) == {NOW - 100: 7}
    assert Pull.objects.get().covered == ((NOW - 100, NOW),)


def test_it_keeps_the_error_and_fetches_later_what_was_missed(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100, bytes_client=1)
    pull()
    stub.stop()
    stub.add(NOW + 50, bytes_client=2)
    pull(NOW + 60)
    state = Pull.objects.select_related("node").get()
    assert "connection refused" in state.error
    assert state.failures == 1
    assert state.node.error == state.error
    assert state.next_run.timestamp() > NOW + 60
    stub.start()
    stub.complete_until = NOW + 120
    pull(NOW + 130)
    state = Pull.objects.select_related("node").get()
    assert (state.error, state.failures, state.node.error) == ("", 0, "")
    assert state.covered == ((NOW - 100, NOW + 120),)
    assert totals(monitor, 10) == {NOW - 100: 1, NOW + 50: 2}


def test_it_shows_a_gap_where_the_node_was_not_watching(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 300)
    stub.observed = [[NOW - 300, NOW - 200], [NOW - 100.5, NOW + 5]]
    pull()
    assert Pull.objects.get().covered == ((NOW - 300, NOW),)
    assert Observed.objects.get().observed == ((NOW - 300, NOW - 200), (NOW - 100, NOW))


def test_it_lets_nonsense_hurt_only_its_own_monitor(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    good, bad, mute = make_monitor("good"), make_monitor("bad", filter="port 1"), make_monitor("mute", filter="port 2")
    stub.add(NOW - 100, bytes_client=3)

    def answer(query: dict[str, Any]) -> dict[str, Any] | str:
        if query["filter"] == "port 1":
            broken = series(stub, query)
            broken["columns"] |= {"t": [NOW - 100], "client_ip": ["not an address"]}
            for key in ("server_ip", "server_port", "protocol", "is_other", "is_total"):
                broken["columns"][key] = [None]
            return broken
        return "{nonsense" if query["filter"] == "port 2" else series(stub, query)

    stub.answer_with = answer
    (result,) = pull()
    assert result.failed == 2
    errors = {state.monitor_id: state.error for state in Pull.objects.all()}
    assert errors[good.pk] == ""
    assert errors[bad.pk] == "client_ip 'not an address' is no address"
    assert errors[mute.pk] == "the node sent no readable answer for this monitor"
    assert totals(good, 10) == {NOW - 100: 3}
    assert Pull.objects.get(monitor=bad).covered == ()


@pytest.mark.parametrize(
    ("said", "words"),
    [({"error": {"detail": "a\0b"}}, "the node refused: ab"), ({"columns": []}, "columns are missing")],
)
def test_it_notes_errors_that_no_database_or_reader_takes(
    stub: StubNode, make_monitor: Callable[..., Monitor], said: dict[str, Any], words: str
) -> None:
    stub.add(NOW - 20, bytes_client=5)
    good, bad = make_monitor("good"), make_monitor("bad", filter="port 1")
    stub.answer_with = lambda query: series(stub, query) | (said if query.get("filter") else {})
    pull()
    assert totals(good, 10) == {NOW - 20: 5}
    assert words in bad.pulls.get().error


def test_it_falls_back_monitor_by_monitor_when_the_transaction_fails(
    stub: StubNode, make_monitor: Callable[..., Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = make_monitor("good"), make_monitor("bad", filter="port 443")
    stub.add(NOW - 100, bytes_client=3)

    def binary(answers: Any, *columns: Any) -> Any:
        whole = [*copy.binary(answers, *columns)]
        return whole if bad.pk not in dict(answers) else [whole[0], whole[1][2:], whole[2]]

    monkeypatch.setattr(write, "binary", binary)
    pull()
    assert totals(good, 10) == {NOW - 100: 3}
    assert Pull.objects.get(monitor=good).covered == ((NOW - 100, NOW),)
    state = Pull.objects.get(monitor=bad)
    assert state.error.startswith("the database refused the rows: row field count is 0")
    assert (state.covered, state.lease, state.failures) == ((), None, 1)
    assert rows(bad, 10) == []


def test_it_keeps_what_arrived_before_the_answer_broke_off(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    first, second = make_monitor("first"), make_monitor("second")
    stub.add(NOW - 100, bytes_client=3)
    stub.cut_after = 1
    pull()
    assert Pull.objects.get(monitor=first).covered == ((NOW - 100, NOW),)
    assert "broke off" in Pull.objects.get(monitor=second).error


def test_it_leaves_the_rest_of_a_large_answer_for_the_next_call(
    stub: StubNode, make_monitor: Callable[..., Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_ROWS", 50)
    first, second = make_monitor("first"), make_monitor("second")
    for t in range(NOW - 3 * 3600, NOW, 100):
        stub.add(t, bytes_client=1)
    pull()
    heads = [query["to"] for query in stub.calls[0]["queries"][:2]]
    assert heads == [NOW, NOW], "the newest window of every monitor comes first"
    state = Pull.objects.get(monitor=second)
    assert (state.covered[-1][1], state.error) == (NOW, ""), "everybody has the present; left for later is no error"
    # In a second at the latest; sooner where the monitor's own grid says so.
    assert NOW < state.next_run.timestamp() <= NOW + 1
    for later in range(1, 12):
        pull(NOW + 2 * later)
    for monitor in (first, second):
        assert len(totals(monitor, 10)) == 3 * 36


def test_it_takes_no_error_from_old_windows_that_a_slow_node_did_not_answer(stub: StubNode, monitor: Monitor) -> None:
    for t in range(NOW - 3 * 3600, NOW, 100):
        stub.add(t, bytes_client=1)
    stub.cut_after = 1
    pull()
    state = Pull.objects.select_related("node").get()
    assert (state.covered, state.error, state.node.error) == (((NOW - 3600, NOW),), "", "")


def test_it_replaces_an_hour_as_a_whole_or_not_at_all(stub: StubNode, monitor: Monitor) -> None:
    hour = NOW - 3600
    stub.add(hour, bytes_client=1)
    pull()
    Pull.objects.update(covered=((hour, hour + 1800), (hour + 1900, NOW)))
    stub.add(hour, bytes_client=2)
    stub.revisions = {str(hour): 1}
    stub.answer_with = lambda query: {"id": query["id"]} if query["from"] == hour else series(stub, query)
    Node.objects.update(status=stub.say_status() | {"asked_at": NOW})
    pull(NOW + 20)
    assert totals(monitor, 10) == {hour: 1}
    assert Pull.objects.get().revisions == {str(hour): [0, 1]}
    stub.answer_with = None
    for later in (60, 120):
        pull(NOW + later)
    assert totals(monitor, 10) == {hour: 3}


def test_it_opens_the_breaker_after_three_failures(stub: StubNode, monitor: Monitor) -> None:
    stub.status = {"x": 1}
    stub.body = b"<html>"
    for attempt in range(3):
        Pull.objects.update(next_run="2000-01-01T00:00Z")
        assert len(pull(NOW + attempt)) == 1
    node = Node.objects.get()
    assert node.failures >= 3
    Pull.objects.update(next_run="2000-01-01T00:00Z")
    assert pull(NOW + 4) == []
    stub.body = None
    stub.add(NOW - 100)
    assert len(pull(NOW + 40)) == 1
    assert Node.objects.get().failures == 0


def test_it_asks_for_a_host_monitors_true_total_apart(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = make_monitor(keys=["host"])
    stub.add(NOW - 100, bytes_client=5)
    pull()
    assert totals(monitor, 10) == {NOW - 100: 5}
    assert sorted(group.host for group in Group.objects.filter(monitor_id=monitor.pk)) == ["10.0.0.1", "10.0.1.1"]
    assert [value for *_, value in rows(monitor, 10, "bytes_client", group_id__gt=1)] == [5] * len(
        rows(monitor, 10, group_id__gt=1)
    )


def test_it_pulls_only_the_total_of_a_monitor_without_keys(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    monitor = make_monitor(keys=[])
    stub.add(NOW - 100, bytes_client=5)
    pull()
    assert [(row[1], row[3]) for row in rows(monitor, 10, "bytes_client")] == [(TOTAL_GROUP, 5)]


def test_it_gives_an_edited_monitor_a_new_revision_and_new_groups(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    pull()
    monitor.refresh_from_db()
    monitor.filter = "port 443"
    monitor.save()
    assert monitor.revision == 2
    stub.add(NOW + 5)
    stub.complete_until = NOW + 10
    pull(NOW + 10)
    groups = Group.objects.filter(monitor_id=monitor.pk).order_by("revision")
    assert [group.revision for group in groups] == [1, 2]
    assert groups[0].id != groups[1].id
    assert len(rows(monitor, 10)) == 4, "old rows stay"
    assert [(d.revision, d.definition["filter"]) for d in monitor.definitions.all()] == [(2, "port 443"), (1, "")]


def test_it_knows_what_a_node_has_lost_for_ever(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 1000)
    stub.complete_until = NOW - 500
    pull(NOW - 500)
    stub.rows.clear()
    stub.add(NOW - 50)
    stub.complete_until = NOW
    pull(NOW)
    state = Pull.objects.get()
    assert state.covered == ((NOW - 1000, NOW - 500), (NOW - 50, NOW))
    assert state.lost == ((NOW - 500, NOW - 50),)


def test_it_does_not_take_removed_hours_for_quiet_ones(stub: StubNode, monitor: Monitor) -> None:
    """The status is older than the answer: retention ran in between."""
    stub.add(NOW - 1000)
    stub.kept_from = NOW - 605
    pull()
    state = Pull.objects.get()
    assert state.covered == ((NOW - 610, NOW),)
    assert state.lost == ((NOW - 1000, NOW - 610),)


def test_it_pulls_an_hour_anew_when_the_node_says_that_it_changed(stub: StubNode, monitor: Monitor) -> None:
    hour = NOW - 3600
    stub.add(hour + 10, bytes_client=1)
    pull()
    stub.add(hour + 10, bytes_client=2)
    stub.add(hour + 50, bytes_client=4)
    stub.revisions = {str(hour): 1}
    stub.complete_until = NOW + 20
    pull(NOW + 20)
    assert Pull.objects.get().revisions == {str(hour): [0, 1]}
    pull(NOW + 40)
    assert totals(monitor, 10) == {hour + 10: 3, hour + 50: 4}
    assert Pull.objects.get().revisions == {str(hour): [1, 1]}
    calls = len(stub.calls)
    pull(NOW + 60)
    assert len(stub.calls[calls]["queries"]) == 1, "once is enough"
    assert Rollup.objects.filter(monitor_id=monitor.pk, step=60).exists()


def test_it_jumps_over_years_without_traffic(stub: StubNode, monitor: Monitor) -> None:
    stub.add(925_000_000, bytes_client=1)
    stub.add(1_330_000_000, bytes_client=2)
    stub.add(NOW - 30, bytes_client=4)
    for second in range(6):
        pull(NOW + 20 * second)
    assert totals(monitor, 10) == {925_000_000: 1, 1_330_000_000: 2, NOW - 30: 4}
    assert Pull.objects.get().covered[0][0] == 925_000_000
    assert len(Pull.objects.get().covered) == 1
    assert len(stub.calls) < 10


def test_it_counts_rows_that_are_dated_after_tomorrow(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        line = series(stub, query)
        columns = line["columns"]
        for key in columns:
            columns[key] = [*columns[key], columns[key][-1]]
        columns["t"][-1] = NOW + 10 * 86_400
        return line

    stub.answer_with = answer
    pull()
    state = Pull.objects.get()
    assert (state.refused, state.error) == (1, "")
    assert len(rows(monitor, 10)) == 2


def test_it_keeps_the_top_groups_of_the_last_hour_by_name(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = make_monitor(top_n=1, keys=["client_ip"])
    stub.add(NOW - 50, client="10.0.0.1", bytes_client=900)
    pull()
    stub.add(NOW + 5, client="10.0.0.1", bytes_client=1)
    stub.add(NOW + 5, client="10.0.0.9", bytes_client=5000)
    stub.complete_until = NOW + 10
    Monitor.objects.update(keep_at=None)
    pull(NOW + 10)
    assert stub.calls[-1]["queries"][0]["keep"] == [{"client_ip": "10.0.0.1"}]
    assert len(rows(monitor, 10, t__gte="2025-10-09T09:00:00Z", group_id=OTHER_GROUP)) == 0
