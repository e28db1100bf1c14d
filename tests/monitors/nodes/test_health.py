"""A node's health as a sentence, and the breaker that failures open."""

from __future__ import annotations

import datetime as dt

import pytest

from monitors.models import Node, Observed
from monitors.nodes import health
from tests.monitors.clock import NOW
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def test_it_notes_status_and_observed(stub: StubNode, node: Node) -> None:
    stub.status = {"observed": [[NOW - 100, NOW - 50], [NOW - 20, NOW]], "complete_until": NOW}
    assert health.check(node, NOW) == ""
    node.refresh_from_db()
    assert (node.complete, node.status["asked_at"], node.error) == (NOW, NOW, "")
    assert Observed.objects.get().observed == ((NOW - 100, NOW - 50), (NOW - 20, NOW))


def test_it_keeps_what_a_node_said_when_it_is_down(stub: StubNode, node: Node) -> None:
    health.check(node, NOW)
    stub.stop()
    assert "connection refused" in health.check(node, NOW + 10)
    node.refresh_from_db()
    assert node.status["version"] == "stub"
    assert health.state_of(node, NOW + 10)[0] == "down"
    assert "(last answer 10 s ago)" in health.state_of(node, NOW + 10)[1]
    stub.start()
    health.check(node, NOW + 20)
    node.refresh_from_db()
    assert health.state_of(node, NOW + 20) == ("ok", "Answers")


def test_it_opens_the_breaker_for_half_a_minute(node: Node) -> None:
    for _ in range(2):
        health.failed(node.pk, "no", NOW)
    node.refresh_from_db()
    assert node.retry_at is None
    health.failed(node.pk, "no", NOW)
    node.refresh_from_db()
    assert node.retry_at == dt.datetime.fromtimestamp(NOW + 30, dt.UTC)
    health.answered(node.pk, NOW, NOW)
    node.refresh_from_db()
    assert (node.retry_at, node.failures, node.error) == (None, 0, "")


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"enabled": False}, ("off", "Switched off")),
        ({}, ("unknown", "Not asked yet")),
        ({"error": "no"}, ("down", "no")),
        ({"age": 120}, ("warning", "Not heard of for 2 min: is the worker running?")),
        ({"age": 1, "status": {"problem": "disk full"}}, ("warning", "disk full")),
        ({"age": 1, "skew_ms": -5000}, ("warning", "Its clock is 5 s behind")),
        ({"age": 1}, ("ok", "Answers")),
    ],
)
def test_it_says_how_a_node_is(fields: dict[str, object], state: tuple[str, str]) -> None:
    age = fields.pop("age", None)
    seen = dt.datetime.fromtimestamp(NOW - int(str(age)), dt.UTC) if age else None
    assert health.state_of(Node(name="n", last_seen=seen, **fields), NOW) == state


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "3 s"), (119, "119 s"), (180, "3 min"), (7200, "2 h"), (10**6, "12 d")]
)
def test_it_speaks_of_durations(seconds: float, words: str) -> None:
    assert health.spoken(seconds) == words
