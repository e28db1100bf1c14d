"""The monitors of the nodes themselves: made once, of every node, and kept out of what is about traffic."""

from __future__ import annotations

import pytest

from monitors.builtin import BUILTIN, add_node_monitors
from monitors.forms.monitor import MonitorForm
from monitors.models import Capture, Monitor, Node, Target
from tests.monitors.cast import visitor
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def test_it_makes_them_once_and_of_every_node(node: Node) -> None:
    other = Node.objects.create(name="other", url="http://127.0.0.1:1")
    add_node_monitors()
    add_node_monitors()
    found = Monitor.objects.about("node") | Monitor.objects.about("points")
    assert sorted((monitor.name, monitor.kind) for monitor in found) == sorted(BUILTIN)
    assert all({target.node for target in monitor.targets.all()} == {node, other} for monitor in found)


def test_it_takes_another_name_where_its_own_is_taken(node: Node) -> None:
    Monitor.objects.create(name="Links")
    add_node_monitors()
    assert Monitor.objects.get(kind="links").name == "Links (2)"


def test_it_is_told_of_nodes_that_are_added_later(stub: StubNode, node: Node) -> None:
    add_node_monitors()
    fields = {"name": "added", "url": stub.url, "verify_tls": "on", "enabled": "on"}
    assert visitor("admin").post("/admin/monitors/node/add/", fields).status_code == 302
    added = Node.objects.get(name="added")
    assert {target.monitor.kind for target in added.targets.all()} == {"capture_health", "links"}


def test_it_leaves_out_the_node_of_an_uploaded_capture(node: Node) -> None:
    Capture.objects.create(name="trace.pcap", node=Node.objects.create(name="trace", url="http://127.0.0.1:1"))
    add_node_monitors()
    assert set(Target.objects.values_list("node_id", flat=True)) == {node.pk}


def test_it_is_not_among_the_monitors_of_traffic(node: Node) -> None:
    add_node_monitors()
    web = Monitor.objects.create(name="web")
    assert list(Monitor.objects.about("conversations")) == [web]
    assert Monitor.objects.get(kind="capture_health").dashboard_url == "/d/capture-health/"
    assert web.dashboard_url == "/d/monitor/?monitor=web"


def test_its_list_says_what_it_is_about(node: Node) -> None:
    add_node_monitors()
    page = visitor("viewer").get("/monitors/").content.decode()
    for text in ("Capture health", "the nodes themselves", "every link", "/d/capture-health/"):
        assert text in page
    assert "all traffic" not in page


def test_the_start_page_still_welcomes_who_has_no_monitor_of_traffic(node: Node) -> None:
    add_node_monitors()
    assert visitor("viewer").get("/").headers["Location"].endswith("/welcome/")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keys": ["source", "server_ip"]}, "Capture health has no Server address"),
        ({"keys": ["source"], "filter": "tcp"}, "Capture health takes no filter"),
    ],
)
def test_its_form_refuses_what_the_kind_does_not_have(fields: dict[str, object], message: str) -> None:
    data = {"name": "x", "kind": "capture_health", "resolution": 10, "interval_s": 10, "top_n": 5} | fields
    form = MonitorForm(data)
    assert not form.is_valid()
    assert message in str(form.errors)
