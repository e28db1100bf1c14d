"""The page of a node group, and groups in the admin."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from monitors.builtin import all_nodes
from monitors.models import Monitor, Node, NodeGroup, Origin
from tests.monitors.authority import Authority
from tests.monitors.cast import visitor
from tests.monitors.nodes.cluster import Cluster, cluster
from tests.monitors.nodes.names import Names, names

__all__ = ["cluster", "names"]

pytestmark = pytest.mark.django_db

FORM = {"name": "East", "description": "", "nodes": [], "address": "", "verify_tls": "on", "ca_certificate": ""}


def post(path: str, **fields: Any) -> str:
    return visitor("operator").post(path, FORM | fields, follow=True).content.decode()


def test_it_shows_members_and_who_left_since_when(node: Node) -> None:
    group = NodeGroup.objects.create(name="East", address="http://c.test:1")
    group.nodes.add(node)
    left_at = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)
    Node.objects.create(name="gone", url="http://127.0.0.1:9", origin=Origin.FOUND, found_by=group, left_at=left_at)
    Monitor.objects.create(name="Web").groups.add(group)
    client = visitor("viewer")
    page = client.get(f"/nodes/groups/{group.pk}/").content.decode()
    for text in ("stub", "Not asked yet", "left the cluster since", "2026-03-04 10:00:00", "gone", "Web"):
        assert text in page
    assert "JOIN_TOKEN" not in page, "viewers announce nothing"
    page = client.get("/nodes/").content.decode()
    assert "Node groups" in page and "Left its cluster" in page
    gone = client.get(f"/nodes/{Node.objects.get(name='gone').pk}/").content.decode()
    assert "left the cluster since" in gone and "it keeps its history" in gone


def test_it_says_how_to_fill_an_empty_group() -> None:
    group = NodeGroup.objects.create(name="East")
    page = visitor("operator").get(f"/nodes/groups/{group.pk}/").content.decode()
    assert "Nobody is a member yet" in page and "JOIN_TOKEN" in page and "/join" in page


def test_it_makes_a_group_and_looks_at_once(names: Names, cluster: Cluster) -> None:
    cluster.add("127.0.0.2", "a", token="t")
    names.set("c.test", "127.0.0.2")
    page = post("/admin/monitors/nodegroup/add/", address=f"http://c.test:{cluster.port}", new_token="t")
    assert "East has the members a." in page
    assert Node.objects.get().token == "t"
    group = NodeGroup.objects.get(name="East")
    page = visitor("admin").post(f"/nodes/groups/{group.pk}/look/", follow=True).content.decode()
    assert "The address stands for 1 nodes." in page


def test_it_keeps_a_token_that_is_not_written_again(names: Names) -> None:
    group = NodeGroup.objects.create(name="East", token="t", address="http://c.test:1")
    page = post(f"/admin/monitors/nodegroup/{group.pk}/change/", address="http://c.test:1", description="two racks")
    assert "c.test does not resolve" in page
    group.refresh_from_db()
    assert (group.token, group.description) == ("t", "two racks")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("address", "http://10.0.0.1:8811", "This is one machine"),
        ("address", "nonsense", "http://HOST:PORT"),
        ("ca_certificate", "nonsense", "This is no PEM certificate"),
        ("new_token", "two words", "A token has no spaces"),
        ("name", "All nodes", "already exists"),
    ],
)
def test_it_says_what_is_wrong(field: str, value: str, words: str) -> None:
    all_nodes()
    page = post("/admin/monitors/nodegroup/add/", **{field: value})
    assert words in page
    assert not NodeGroup.objects.filter(is_all=False).exists()


def test_the_group_of_all_nodes_is_not_taken_apart(node: Node) -> None:
    group = all_nodes()
    client = visitor("operator")
    page = client.get(f"/admin/monitors/nodegroup/{group.pk}/change/").content.decode()
    assert "Every node is a member" in page and 'name="address"' not in page
    assert client.post(f"/admin/monitors/nodegroup/{group.pk}/delete/", {"post": "yes"}).status_code == 403
    page = client.get("/admin/monitors/nodegroup/").content.decode()
    assert "all 1" in page and "delete_selected" not in page


def test_the_form_of_a_node_puts_it_into_groups(node: Node) -> None:
    group = NodeGroup.objects.create(name="East")
    client = visitor("operator")
    fields = {"name": "stub", "url": node.url, "verify_tls": "on", "enabled": "on"}
    client.post(f"/admin/monitors/node/{node.pk}/change/", fields | {"groups": [group.pk]})
    assert list(group.nodes.all()) == [node]
    page = client.get(f"/admin/monitors/node/{node.pk}/change/").content.decode()
    (box,) = re.findall(rf'<input type="checkbox" name="groups" value="{group.pk}"[^>]*>', page)
    assert "checked" in box
    client.post(f"/admin/monitors/node/{node.pk}/change/", fields)
    assert not group.nodes.exists()


def test_the_form_of_a_found_node_leaves_the_rest_to_its_group(node: Node) -> None:
    group = NodeGroup.objects.create(name="East", address="http://c.test:1")
    Node.objects.update(origin=Origin.FOUND, found_by=group, left_at=dt.datetime.now(dt.UTC), token="t")
    client = visitor("operator")
    path = f"/admin/monitors/node/{node.pk}/change/"
    page = client.get(path).content.decode()
    assert "Token and TLS are those of the group East" in page and "new_token" not in page
    client.post(path, {"name": "renamed", "enabled": "on"})
    found = Node.objects.get()
    assert (found.name, found.url, found.token) == ("renamed", node.url, "t")
    client.post("/admin/monitors/node/", {"action": "take_over", "_selected_action": [node.pk]})
    found = Node.objects.get()
    assert (found.origin, found.found_by, found.left_at) == (Origin.ADDED, None, None)


def test_the_form_of_a_node_refuses_a_bad_certificate(node: Node) -> None:
    fields = {"name": "stub", "url": node.url, "verify_tls": "on", "enabled": "on"}
    client = visitor("operator")
    path = f"/admin/monitors/node/{node.pk}/change/"
    page = client.post(path, fields | {"ca_certificate": Authority("old", days=-1).pem}).content.decode()
    assert "CN=old expired on" in page
    client.post(path, fields | {"ca_certificate": (good := Authority().pem)})
    assert Node.objects.get().ca_certificate.strip() == good.strip()
