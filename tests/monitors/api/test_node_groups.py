"""`/api/v1/node-groups/`: what the form of a group can do."""

from __future__ import annotations

import pytest
from django.test import Client

from monitors.builtin import all_nodes
from monitors.models import Node, NodeGroup
from tests.monitors.cast import visitor
from tests.monitors.nodes.cluster import Cluster, cluster
from tests.monitors.nodes.names import Names, names

__all__ = ["cluster", "names"]

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def operator() -> Client:
    return visitor("operator")


def test_it_makes_reads_changes_and_deletes(operator: Client, node: Node) -> None:
    made = operator.post("/api/v1/node-groups/", {"name": "East side", "nodes": [node.pk]}, content_type=JSON)
    assert made.status_code == 201, made.content
    assert [member["name"] for member in made.json()["members"]] == ["stub"]
    by_name = operator.get("/api/v1/node-groups/East%20side/").json()
    assert by_name["id"] == made.json()["id"] and by_name["state"] == "Not asked yet"
    path = f"/api/v1/node-groups/{by_name['id']}/"
    assert operator.patch(path, {"nodes": []}, content_type=JSON).json()["members"] == []
    assert operator.delete(path).status_code == 204
    assert not NodeGroup.objects.filter(is_all=False).exists() and Node.objects.exists()


def test_it_looks_at_its_address(operator: Client, names: Names, cluster: Cluster) -> None:
    cluster.add("127.0.0.2", "a")
    names.set("c.test", "127.0.0.2")
    said = {"name": "C", "address": f"http://c.test:{cluster.port}/api/v1", "token": "t"}
    group = operator.post("/api/v1/node-groups/", said, content_type=JSON).json()
    assert group["has_token"] and "token" not in group
    assert group["address"] == f"http://c.test:{cluster.port}"
    found = operator.post(f"/api/v1/node-groups/{group['id']}/look/").json()
    assert [member["name"] for member in found["members"]] == ["a"]
    Node.objects.update(left_at="2026-01-01T00:00:00Z")
    assert [node["name"] for node in operator.get("/api/v1/node-groups/C/").json()["left"]] == ["a"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("address", "http://10.0.0.1:8811", "one machine"),
        ("address", "cluster", "http://HOST:PORT"),
        ("ca_certificate", "nonsense", "no PEM"),
        ("token", "a b", "no spaces"),
    ],
)
def test_it_says_what_is_wrong(operator: Client, field: str, value: str, words: str) -> None:
    answer = operator.post("/api/v1/node-groups/", {"name": "n", field: value}, content_type=JSON)
    assert answer.status_code == 400 and words in str(answer.json()[field])


def test_all_nodes_stay(operator: Client, node: Node) -> None:
    path = f"/api/v1/node-groups/{all_nodes().pk}/"
    assert [member["name"] for member in operator.get(path).json()["members"]] == ["stub"]
    assert operator.delete(path).status_code == 409
    assert operator.patch(path, {"nodes": []}, content_type=JSON).status_code == 400
    assert operator.patch(path, {"description": "all of them"}, content_type=JSON).status_code == 200
    assert operator.post(f"{path}look/").status_code == 400


def test_viewers_only_look(node: Node) -> None:
    group = NodeGroup.objects.create(name="g")
    client, path = visitor("viewer"), f"/api/v1/node-groups/{group.pk}/"
    assert client.get(path).status_code == 200
    assert client.patch(path, {"name": "x"}, content_type=JSON).status_code == 403
    assert client.delete(path).status_code == 403
    said = {"name": "n", "url": "http://127.0.0.1:9"}
    assert client.post(f"{path}join", said, content_type=JSON).status_code == 403
    assert operator_may_join(path)


def operator_may_join(path: str) -> bool:
    said = {"name": "n", "url": "http://127.0.0.1:9"}
    return visitor("operator").post(f"{path}join", said, content_type=JSON).status_code == 201
