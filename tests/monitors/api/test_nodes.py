"""`/api/v1/nodes/`: what the form of a node can do, without ever giving its token away."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from monitors.models import Node, NodeGroup, Origin
from tests.monitors.authority import Authority
from tests.monitors.cast import visitor
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def operator() -> Client:
    return visitor("operator")


def test_it_makes_reads_changes_and_deletes(operator: Client, stub: StubNode) -> None:
    group = NodeGroup.objects.create(name="g")
    said = {"name": "one", "url": f"{stub.url}/api/v1/", "token": "t", "groups": [group.pk]}
    made = operator.post("/api/v1/nodes/", said, content_type=JSON)
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["url"], body["has_token"], body["groups"], body["origin"]) == (stub.url, True, [group.pk], "added")
    assert "token" not in body
    path = f"/api/v1/nodes/{body['id']}/"
    assert operator.patch(path, {"name": "two"}, content_type=JSON).json()["name"] == "two"
    assert Node.objects.get().token == "t", "what is not said stays"
    assert operator.patch(path, {"token": ""}, content_type=JSON).json()["has_token"] is False
    assert operator.get(path).json()["words"] == "Not asked yet"
    assert operator.delete(path).status_code == 204
    assert not Node.objects.exists()


def test_an_edit_of_the_address_begins_anew(operator: Client, stub: StubNode, node: Node) -> None:
    Node.objects.update(status={"version": "1"}, failures=5, error="no", complete_until=7)
    path = f"/api/v1/nodes/{node.pk}/"
    operator.patch(path, {"name": "renamed", "url": stub.url}, content_type=JSON)
    assert Node.objects.get().complete_until == 7, "the same address"
    operator.patch(path, {"url": "http://127.0.0.1:9"}, content_type=JSON)
    found = Node.objects.get()
    assert (found.status, found.failures, found.error, found.complete_until) == ({}, 0, "", None)


@pytest.mark.parametrize("kind", ["nodes", "node-groups"])
def test_a_token_does_not_follow_to_another_address(operator: Client, kind: str) -> None:
    field, model = ("url", Node) if kind == "nodes" else ("address", NodeGroup)
    row = model.objects.create(name="n", token="secret", **{field: "http://cstor.test:8801"})
    path = f"/api/v1/{kind}/{row.pk}/"
    for elsewhere in ("https://cstor.test:8801", "http://other.test:8801", "http://cstor.test:8802"):
        answer = operator.patch(path, {field: elsewhere}, content_type=JSON)
        assert answer.status_code == 400 and "address before" in answer.json()["token"][0]
    # Whom requests would call is not whom urlsplit names.
    answer = operator.patch(path, {field: "http://other.test\\@cstor.test:8801"}, content_type=JSON)
    assert answer.status_code == 400 and field in answer.json()
    assert operator.patch(path, {field: "http://CSTOR.test:8801/"}, content_type=JSON).status_code == 200
    row.refresh_from_db()
    assert row.token == "secret"
    for token in ("new", ""):
        address = f"http://now{token}.test:8801"
        assert operator.patch(path, {field: address, "token": token}, content_type=JSON).status_code == 200
        row.refresh_from_db()
        assert (getattr(row, field), row.token) == (address, token)


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ({"url": "ftp://x"}, "url", "http://HOST:PORT"),
        ({"name": ""}, "name", "blank"),
        ({"name": "stub"}, "name", "already exists"),
        ({"token": "two words"}, "token", "no spaces"),
        ({"ca_certificate": "nonsense"}, "ca_certificate", "no PEM certificate"),
        (
            {"ca_certificate": Authority("server", is_ca=False).pem},
            "ca_certificate",
            "not the certificate of an authority",
        ),
        ({"groups": [99_999]}, "groups", "object does not exist"),
    ],
)
def test_it_says_what_is_wrong(operator: Client, node: Node, said: dict[str, Any], field: str, words: str) -> None:
    answer = operator.post("/api/v1/nodes/", {"name": "n", "url": "http://127.0.0.1:9", **said}, content_type=JSON)
    assert answer.status_code == 400
    assert words in str(answer.json()[field])


def test_viewers_only_look(node: Node) -> None:
    client = visitor("viewer")
    path = f"/api/v1/nodes/{node.pk}/"
    assert client.get(path).status_code == 200
    for method, where in (("post", "/api/v1/nodes/"), ("patch", path), ("delete", path), ("post", f"{path}test/")):
        assert getattr(client, method)(where, {"name": "x"}, content_type=JSON).status_code == 403
    assert client.post("/api/v1/nodes/test/", {"name": "x"}, content_type=JSON).status_code == 403


def test_it_tests_a_node_and_notes_what_came_of_it(operator: Client, stub: StubNode, node: Node) -> None:
    found = operator.post(f"/api/v1/nodes/{node.pk}/test/").json()
    assert found["ok"] and [step["label"] for step in found["steps"]] == ["Connection", "Token", "Version", "Clock"]
    assert Node.objects.get().status["version"] == "stub"
    stub.token = "t"
    found = operator.post(f"/api/v1/nodes/{node.pk}/test/").json()
    assert not found["ok"] and "refused our token" in found["error"]
    assert Node.objects.get().error == found["error"]


def test_it_tests_what_is_not_added(operator: Client, stub: StubNode) -> None:
    said = {"name": "n", "url": stub.url, "token": "t"}
    assert operator.post("/api/v1/nodes/test/", said, content_type=JSON).json()["ok"]
    assert operator.post("/api/v1/nodes/test/", {"name": "n", "url": "x"}, content_type=JSON).status_code == 400
    assert not Node.objects.exists()


def test_what_was_found_has_its_groups_settings(operator: Client, node: Node) -> None:
    group = NodeGroup.objects.create(name="East", address="http://c.test:1")
    Node.objects.update(origin=Origin.FOUND, found_by=group)
    path = f"/api/v1/nodes/{node.pk}/"
    answer = operator.patch(path, {"token": "mine"}, content_type=JSON)
    assert answer.status_code == 400 and "group East" in answer.json()["token"][0]
    assert operator.patch(path, {"enabled": False}, content_type=JSON).status_code == 200
