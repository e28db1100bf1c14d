"""Monitors and nodes in the admin: what an operator does there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from monitors.models import Monitor, Node, Pull
from tests.monitors.cast import visitor
from tests.monitors.clock import NOW, pull
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def form(node: Node, **changes: Any) -> dict[str, Any]:
    fields = {
        "name": "Web",
        "kind": "network_health",
        "filter": "net 10.0.0.0/8 and tcp port 443",
        "nodes": [node.pk],
        "keys": ["server_ip", "client_ip"],
        "resolution": 10,
        "interval_s": 10,
        "top_n": 20,
        "enabled": "on",
    }
    return fields | changes


def test_it_lets_an_operator_create_a_monitor(node: Node) -> None:
    answer = visitor("operator").post("/admin/monitors/monitor/add/", form(node))
    assert answer.status_code == 302
    monitor = Monitor.objects.get()
    assert (monitor.slug, monitor.keys, monitor.revision) == ("web", ["client_ip", "server_ip"], 1)
    assert monitor.created_by == get_user_model().objects.get(username="olivia")
    assert list(monitor.nodes.all()) == [node]


def test_it_keeps_viewers_out(node: Node) -> None:
    assert visitor("viewer").get("/admin/monitors/monitor/add/").status_code == 302
    assert visitor(None).get("/admin/").status_code == 302


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tcp prot 443", "prot"),
        ("port", "port"),
        ("tcp[13] = 2", "tcp[13]"),
        ("greater 100", "greater"),
    ],
)
def test_it_points_at_the_word_of_a_bad_filter(node: Node, text: str, words: str) -> None:
    page = visitor("operator").post("/admin/monitors/monitor/add/", form(node, filter=text)).content.decode()
    assert "column" in page
    assert words in page
    assert "^" in page
    assert not Monitor.objects.exists()


def test_it_refuses_what_makes_no_sense(node: Node) -> None:
    page = visitor("operator").post(
        "/admin/monitors/monitor/add/", form(node, keys=["host", "client_ip"], interval_s=5, resolution=60)
    )
    text = page.content.decode()
    assert "both its ends" in text
    assert "nothing new more often" in text


def test_it_raises_the_revision_only_when_the_definition_changes(node: Node) -> None:
    client = visitor("operator")
    client.post("/admin/monitors/monitor/add/", form(node))
    monitor = Monitor.objects.get()
    address = f"/admin/monitors/monitor/{monitor.pk}/change/"
    client.post(address, form(node, name="Web front", top_n=30))
    assert Monitor.objects.get().revision == 1
    page = client.post(address, form(node, filter="port 80"), follow=True).content.decode()
    assert Monitor.objects.get().revision == 2
    assert "revision 2" in page


def test_it_does_not_change_the_resolution(node: Node) -> None:
    client = visitor("operator")
    client.post("/admin/monitors/monitor/add/", form(node))
    monitor = Monitor.objects.get()
    client.post(f"/admin/monitors/monitor/{monitor.pk}/change/", form(node, resolution=1))
    assert Monitor.objects.get().resolution == 10


def test_it_shows_state_and_errors_in_the_list(stub: StubNode, monitor: Monitor) -> None:
    stub.stop()
    pull()
    page = visitor("operator").get("/admin/monitors/monitor/").content.decode()
    assert "connection refused by" in page
    change = visitor("admin").get(f"/admin/monitors/monitor/{monitor.pk}/change/").content.decode()
    assert "connection refused by" in change
    stub.start()


def test_it_pulls_now_and_tests_connections(stub: StubNode, monitor: Monitor) -> None:
    pull()
    client = visitor("operator")
    client.post("/admin/monitors/monitor/", {"action": "pull_now", "_selected_action": [monitor.pk]})
    assert Pull.objects.get().next_run.timestamp() > NOW + 1000, "due at the present of the clock on the wall"
    node = Node.objects.get()
    page = client.post(
        "/admin/monitors/node/", {"action": "test_connection", "_selected_action": [node.pk]}, follow=True
    )
    assert "Stub answers (stub)" in page.content.decode()


def test_it_writes_and_removes_a_token(stub: StubNode, node: Node) -> None:
    client = visitor("operator")
    address = f"/admin/monitors/node/{node.pk}/change/"
    fields = {"name": "stub", "url": stub.url, "verify_tls": "on", "enabled": "on"}
    client.post(address, fields | {"new_token": "abc"})
    assert Node.objects.get().token == "abc"
    client.post(address, fields)
    assert Node.objects.get().token == "abc"
    client.post(address, fields | {"remove_token": "on"})
    assert Node.objects.get().token == ""


def test_it_says_at_once_whether_a_new_node_answers(db: None, stub: StubNode) -> None:
    fields = {"name": "one", "url": f"{stub.url}/api/v1/", "verify_tls": "on", "enabled": "on"}
    page = visitor("operator").post("/admin/monitors/node/add/", fields, follow=True).content.decode()
    assert "One answers" in page
    assert Node.objects.get().url == stub.url
    page = (
        visitor("admin").post("/admin/monitors/node/add/", fields | {"name": "two", "url": "nonsense"}).content.decode()
    )
    assert "http://HOST:PORT" in page


def test_it_deletes_a_monitor_with_its_pulls(stub: StubNode, monitor: Monitor) -> None:
    pull()
    client = visitor("operator")
    assert client.post(f"/admin/monitors/monitor/{monitor.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Pull.objects.exists()
