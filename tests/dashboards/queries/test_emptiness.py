"""Why is this empty?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from dashboards.queries.emptiness import Emptiness, explain
from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec
from dashboards.queries.subjects import find_subjects
from monitors.models import Monitor, Node, Pull
from tests.dashboards.samples import cover
from tests.dashboards.traffic import END, START, Traffic

NOW = datetime.fromtimestamp(END + 5, UTC)


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


def test_it_says_that_nothing_was_captured(traffic: Traffic) -> None:
    for node in traffic.nodes:
        cover(traffic.web, node, (START, START + 10), (END - 10, END))
    reason = why(monitors=["web"], range={"from": str(START + 60), "to": str(START + 120)})
    assert reason.title == "Nothing was captured in this range"
    assert "has not answered" in reason.text


def test_it_says_that_there_was_nothing_to_measure(traffic: Traffic) -> None:
    reason = why(monitors=["web"], metrics=["handshake_rtt:p95"])
    assert reason.title == "Nothing to measure in this range"


def test_it_leads_to_the_first_steps_without_a_monitor(db: None) -> None:
    Node.objects.create(name="n", url="http://127.0.0.1:1")
    assert why().href == "/welcome/"
