"""Why is this empty?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from dashboards.queries.emptiness import Emptiness, explain
from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec
from dashboards.queries.subjects import find_subjects
from monitors.models import Monitor, Node, NodeGroup, Observed, Pull
from tests.dashboards.samples import Samples, cover
from tests.dashboards.traffic import END, START, Traffic

NOW = datetime.fromtimestamp(END + 5, UTC)
WITHIN = {"from": str(START + 60), "to": str(START + 120)}


def why(**words: Any) -> Emptiness:
    data = {"metrics": ["response_time:p95"], "range": {"from": str(START), "to": str(END)}} | words
    spec = QuerySpec.from_json(data)
    frame = run(spec, NOW)
    assert frame.is_empty
    return explain(spec, find_subjects(spec), frame)


def test_it_says_where_the_data_is(traffic: Traffic) -> None:
    reason = why(monitors=["web"], range={"from": "2020-01-01", "to": "2020-01-02"})
    assert (reason.title, reason.text) == ("No data in this range", "Data from 2026-01-01 10:10 to 10:20.")
    assert reason.kept == (START, END)


def test_it_says_that_the_filter_matches_nothing(traffic: Traffic) -> None:
    assert why(monitors=["web"], filter="client host 9.9.9.9").title == "Nothing matched the filter"


def test_it_says_what_the_node_said(traffic: Traffic) -> None:
    Pull.objects.create(
        monitor=traffic.quiet, node=traffic.nodes[0], next_run=timezone.now(), error="connection refused"
    )
    reason = why(monitors=["quiet"])
    assert (reason.title, reason.text) == ("cstor-a cannot be asked", "connection refused")


def test_it_says_that_nothing_matched_so_far(traffic: Traffic) -> None:
    cover(traffic.quiet, traffic.nodes[0], (START, END))
    assert why(monitors=["quiet"]).title == "Nothing matched so far"


def test_it_says_that_the_first_answer_is_awaited_and_that_a_node_is_missing(traffic: Traffic) -> None:
    assert why(monitors=["quiet"]).title == "Waiting for the first answer"
    traffic.quiet.nodes.clear()
    assert why(monitors=["quiet"]).title == "Quiet has no node"


def test_it_says_that_a_monitor_is_off(traffic: Traffic) -> None:
    Monitor.objects.filter(pk=traffic.quiet.pk).update(enabled=False)
    assert why(monitors=["quiet"]).title == "Quiet is switched off"


def test_it_says_what_is_not_fetched_yet(traffic: Traffic) -> None:
    for node in traffic.nodes:
        cover(traffic.web, node, (START, START + 10), (END - 10, END))
    reason = why(monitors=["web"], range=WITHIN)
    assert reason.title == "Not fetched yet"
    assert reason.text == "Not yet fetched from cstor-a; not yet fetched from cstor-b."


def test_it_says_that_nothing_was_captured(traffic: Traffic) -> None:
    for node in traffic.nodes:
        Observed.objects.filter(node=node).update(observed=((START, START + 10),))
    reason = why(monitors=["web"], range=WITHIN)
    assert reason.title == "Nothing was captured in this range"
    assert reason.text == "cstor-a was not capturing; cstor-b was not capturing."


def test_it_says_what_is_lost(traffic: Traffic) -> None:
    for node in traffic.nodes:
        cover(traffic.web, node, (START, START + 10), (END - 10, END))
    Pull.objects.update(lost=((START + 10, END - 10),))
    reason = why(monitors=["web"], range=WITHIN)
    assert (reason.title, reason.kept) == ("No longer kept", (START, END))
    assert "cstor-b no longer keeps this time" in reason.text


def test_it_says_since_when_a_node_is_down(traffic: Traffic) -> None:
    Pull.objects.filter(node=traffic.nodes[0]).update(error="connection refused")
    reason = why(monitors=["web"], range={"from": str(END + 300), "to": str(END + 600)})
    assert reason.text == (
        "cstor-a is down since 2026-01-01 10:20 (connection refused). Data from 2026-01-01 10:10 to 10:20."
    )


def test_it_says_that_a_group_of_nodes_has_no_member(traffic: Traffic) -> None:
    group = NodeGroup.objects.create(name="Berlin")
    traffic.quiet.nodes.clear()
    traffic.quiet.groups.add(group)
    reason = why(monitors=["quiet"])
    assert reason.title == "Quiet has no node"
    assert "members of Berlin" in reason.text
    group.nodes.add(traffic.nodes[0])
    assert why(monitors=["quiet"]).title == "Waiting for the first answer"


def test_it_says_that_a_vni_was_never_seen(traffic: Traffic) -> None:
    monitor = Monitor.objects.create(name="vnis", keys=["vni"], resolution=10)
    samples = Samples(monitor)
    samples.put(START, traffic.nodes[0], {"vni": 7}, {"bytes_client": 10})
    samples.write()
    cover(monitor, traffic.nodes[0], (START, END))
    reason = why(monitors=["vnis"], filter="vni 9", metrics=["bytes:sum"])
    assert (reason.title, reason.text) == ("VNI 9 was never seen", "Seen so far: 7.")


def test_it_says_that_an_older_definition_did_not_keep_it(traffic: Traffic) -> None:
    traffic.web.keys = [*traffic.web.keys, "vni"]
    traffic.web.save()
    traffic.web.definitions.filter(revision=2).update(since=datetime.fromtimestamp(END, UTC))
    reason = why(monitors=["web"], by=["vni"])
    assert reason.title == "Not kept at that time"
    assert reason.text == "Before 10:20 Web did not keep vni: nothing of that time is shown."


def test_it_says_that_there_was_nothing_to_measure(traffic: Traffic) -> None:
    reason = why(monitors=["web"], metrics=["handshake_rtt:p95"])
    assert reason.title == "Nothing to measure in this range"


def test_it_does_not_blame_a_short_gap(traffic: Traffic) -> None:
    cover(traffic.web, traffic.nodes[0], (START, START + 100), (START + 110, END))
    reason = why(monitors=["web"], metrics=["handshake_rtt:p95"])
    assert reason.title == "Nothing to measure in this range"
    assert reason.text.endswith("this panel measures. Not yet fetched from cstor-a.")


def test_it_leads_to_the_first_steps_without_a_monitor(db: None) -> None:
    Node.objects.create(name="n", url="http://127.0.0.1:1")
    assert why().href == "/welcome/"
