"""Monitors and nodes in the admin: what an operator does there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from monitors import history
from monitors.models import Monitor, Node, NodeGroup, Pull
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


def test_a_new_monitor_asks_all_nodes(node: Node) -> None:
    page = visitor("operator").get("/admin/monitors/monitor/add/").content.decode()
    assert re.search(r'name="groups"[^>]*checked', page)


def test_it_writes_times_as_every_other_page(db: None) -> None:
    page = visitor("admin").get("/admin/dashboards/dashboard/").content.decode()
    assert re.search(r'field-changed[^>]*">20\d\d-\d\d-\d\d \d\d:\d\d<', page)


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


def many(action: str, monitors: list[Monitor], **fields: Any) -> str:
    """Run an action of the list, through its form where it has one."""
    client = Client()
    client.force_login(get_user_model().objects.get(username="olivia"))
    data = {"action": action, "_selected_action": [one.pk for one in monitors], **fields}
    answer = client.post("/admin/monitors/monitor/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_changes_many_at_once(make_monitor: Callable[..., Monitor]) -> None:
    visitor("operator")
    one, two = make_monitor("one", tags=["old", "x"]), make_monitor("two", resolution=60, interval_s=60)
    group = NodeGroup.objects.create(name="core")
    both = [one, two]
    assert "Add or take away tags" in many("change_tags", both)
    assert "Write a tag" in many("change_tags", both, apply="Apply")
    assert "Tags of 2 monitors changed" in many("change_tags", both, apply="Apply", add="new", remove="old")
    assert "Left as they are, since nothing new comes as often at their resolution: two" in many(
        "change_interval", both, apply="Apply", interval_s=30
    )
    assert "Ensure this value" in many("change_interval", both, apply="Apply", interval_s=0)
    assert "ask other groups now" in many("change_groups", both, apply="Apply", add=[group.pk])
    for monitor in both:
        monitor.refresh_from_db()
    assert (one.tags, two.tags) == (["x", "new"], ["new"])
    assert (one.interval_s, two.interval_s) == (30, 60)
    assert list(group.monitors.all()) == both
    assert "0 switched on" in many("enable", both)
    assert "2 switched off" in many("disable", both)
    ways = {(event.way, event.changes) for event in history.events(one)}
    assert ("admin, many at once", ("Tags: old, x → x, new",)) in ways
    assert len(ways) == 4


def test_it_clones_and_exports(make_monitor: Callable[..., Monitor]) -> None:
    visitor("operator")
    one, two = make_monitor("one", filter="port 443"), make_monitor("two")
    assert 'value="Copy of one"' in many("clone", [one])
    assert "Copy 2 of one, Copy of two" in many("clone", [one, two])
    assert not Monitor.objects.get(name="Copy of one").enabled
    assert "filter: port 443" in many("export_yaml", [one])
    assert many("export_csv", [one, two]).count("\n") == 3


def test_it_writes_down_who_changed_what(node: Node) -> None:
    client = visitor("operator")
    client.post("/admin/monitors/monitor/add/", form(node))
    monitor = Monitor.objects.get()
    client.post(f"/admin/monitors/monitor/{monitor.pk}/change/", form(node, tags="a, b", top_n=30))
    changed, made = history.events(monitor)
    assert (made.who, made.way, made.what) == ("olivia", "admin", "made")
    assert changed.changes == ("Tags: nothing → a, b", "Top N groups: 20 → 30")
    page = client.get(f"/admin/monitors/monitor/{monitor.pk}/history/").content.decode()
    assert "Top N groups: 20 → 30" in page


def test_it_says_what_happens_to_samples(monitor: Monitor) -> None:
    page = visitor("operator").get(f"/admin/monitors/monitor/{monitor.pk}/delete/").content.decode()
    assert "switch it off instead" in page
    assert "can no longer be seen" in many("delete_selected", [monitor])


def test_the_list_has_tags(make_monitor: Callable[..., Monitor]) -> None:
    make_monitor("one", tags=["core"])
    make_monitor("two", kind="links", keys=["vni"])
    client = visitor("operator")
    page = client.get("/admin/monitors/monitor/?tag=core").content.decode()
    assert (">one</a>" in page, ">two</a>" in page) == (True, False)
    page = client.get("/admin/monitors/monitor/?kind=links").content.decode()
    assert (">one</a>" in page, ">two</a>" in page) == (False, True)
    assert ">one</a>" in client.get("/admin/monitors/monitor/?q=cor").content.decode()


def test_saved_filters_in_the_admin(db: None) -> None:
    client = visitor("operator")
    page = client.post("/admin/monitors/savedfilter/add/", {"name": "x", "filter": "tcp prot"}).content.decode()
    assert "is &#x27;proto&#x27; meant?" in page
    client.post("/admin/monitors/savedfilter/add/", {"name": "Web", "filter": "port 80"})
    assert "<code>port 80</code>" in client.get("/admin/monitors/savedfilter/").content.decode()
