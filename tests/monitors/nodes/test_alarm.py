"""A node that is down is seen on every page, in the admin, in /metrics and in an open page, until it is back."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from monitors.models import Node
from monitors.nodes import alarm, health
from tests.monitors.cast import visitor
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def down(node: Node, calls: int = 3) -> None:
    for _ in range(calls):
        health.failed(node.pk, "connection refused", time.time())
    alarm.forget()


def seen(node: Node, seconds_ago: float) -> None:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds_ago)
    Node.objects.filter(pk=node.pk).update(last_seen=moment, checked_at=dt.datetime.now(dt.UTC))


def test_it_shows_on_every_page_who_is_down_and_since_when(node: Node) -> None:
    seen(node, 600)
    down(node)
    since = Node.objects.get().last_seen
    assert since is not None
    client = visitor("operator")
    for path in ("/nodes/", "/monitors/", "/d/", "/account/", "/admin/", "/admin/monitors/node/", "/packets/"):
        page = client.get(path).content.decode()
        assert "A node is down" in page, path
        assert f'href="/nodes/{node.pk}/"' in page and f"{since:%Y-%m-%d %H:%M:%S}" in page, path


def test_it_waits_for_three_failures(node: Node) -> None:
    down(node, 2)
    client = visitor("viewer")
    assert "is down" not in client.get("/nodes/").content.decode()
    down(node, 1)
    assert "(never answered)" in client.get("/nodes/").content.decode()


def test_it_ends_when_the_node_is_back(stub: StubNode, node: Node) -> None:
    down(node)
    client = visitor("viewer")
    assert "A node is down" in client.get("/nodes/alarms/").content.decode()
    health.check(Node.objects.get(), time.time())
    alarm.forget()
    assert "is down" not in client.get("/nodes/alarms/").content.decode()


@pytest.mark.parametrize("fields", [{"enabled": False}, {"left_at": dt.datetime.now(dt.UTC)}])
def test_it_says_nothing_of_who_is_not_in_use(node: Node, fields: dict[str, Any]) -> None:
    down(node)
    Node.objects.update(**fields)
    assert alarm.alarms(time.time()).down == ()


def test_it_names_a_few_of_many(node: Node) -> None:
    for n in range(6):
        down(Node.objects.create(name=f"n{n}", url=f"http://127.0.0.1:{n + 1}"))
    page = visitor("viewer").get("/nodes/alarms/").content.decode()
    assert "6 nodes are down" in page and ">2 more</a>" in page


def test_it_is_not_shown_to_strangers(node: Node, client: Any) -> None:
    down(node)
    assert "stub" not in client.get("/accounts/login/").content.decode()
    assert "is down" not in visitor(None).get("/account/").content.decode()


def test_it_knows_that_nobody_asks(node: Node) -> None:
    asked = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=100)
    Node.objects.update(checked_at=asked, last_seen=asked)
    page = visitor("viewer").get("/nodes/").content.decode()
    assert "Nobody asks the nodes" in page and "is the worker for pulls running" in page
    Node.objects.update(checked_at=dt.datetime.now(dt.UTC))
    assert alarm.alarms(time.time()).silent_since is None


def test_it_asks_the_database_once_in_a_few_seconds(node: Node, django_assert_num_queries: Any) -> None:
    down(node)
    with django_assert_num_queries(1):
        for _ in range(50):
            alarm.current()


def test_it_is_in_the_metrics(stub: StubNode, node: Node) -> None:
    seen(node, 600)
    down(node)
    text = visitor("viewer").get("/metrics").content.decode()
    assert 'cclear_node_up{node="stub"} 0' in text
    assert "cclear_nodes_down 1" in text
    (line,) = (line for line in text.splitlines() if line.startswith('cclear_node_silent_seconds{node="stub"}'))
    assert float(line.split()[1]) >= 600
    Node.objects.update(status={"certificate": {"expires": time.time() + 5000}})
    text = visitor("operator").get("/metrics").content.decode()
    assert "cclear_node_certificate_seconds" in text
