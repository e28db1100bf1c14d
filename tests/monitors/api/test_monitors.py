"""Monitors over REST: all that the pages do, with the form's own checks, by scope and by role."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from monitors import history
from monitors.models import ApiToken, Monitor, Node, NodeGroup, Pull, SavedFilter
from tests.monitors.cast import visitor
from tests.monitors.clock import NOW, pull
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db
URL = "/api/v1/monitors/"


@pytest.fixture
def olivia(db: None) -> Client:
    return visitor("operator")


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    data = json.dumps(body) if body is not None else ""
    return client.generic(method, path, data, content_type="application/json", headers=headers)


def test_it_makes_changes_and_deletes(olivia: Client, node: Node) -> None:
    group = NodeGroup.objects.create(name="core")
    body = {"name": "Web", "filter": "tcp  port 443", "nodes": [node.pk], "groups": [group.pk], "tags": ["a"]}
    answer = send(olivia, "POST", URL, body)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["slug"], made["filter"], made["steps"]) == ("web", "tcp port 443", [60, 600, 3600, 86400])
    monitor = Monitor.objects.get()
    assert monitor.created_by is not None
    one = f"{URL}{monitor.pk}/"
    changed = send(olivia, "PATCH", one, {"top_n": 7, "thresholds": {"network_latency": [0.1, 0.2]}}).json()
    assert (changed["top_n"], changed["filter"], changed["nodes"]) == (7, "tcp port 443", [node.pk])
    assert changed["thresholds"] == {"network_latency": [0.1, 0.2]}
    whole = send(olivia, "PUT", one, {"name": "Web", "nodes": [node.pk]}).json()
    assert (whole["top_n"], whole["filter"], whole["groups"], whole["revision"]) == (50, "", [], 2)
    assert [event.changes for event in history.events(monitor)][1] == (
        "Top N groups: 50 → 7",
        "Thresholds: nothing → network_latency 0.1/0.2",
    )
    assert send(olivia, "DELETE", one).status_code == 204
    assert not Monitor.objects.exists()


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"name": "x", "filter": "tcp prot 443"}, "filter", "is 'proto' meant?"),
        ({"name": "x", "keys": ["colour"]}, "keys", "colour"),
        ({"name": "x", "keys": ["source"]}, "keys", "has no Source"),
        ({"name": "x", "kind": "sky"}, "kind", "sky"),
        ({"name": "x", "nodes": [99]}, "nodes", "99"),
        ({"name": "x", "interval_s": 5}, "interval_s", "nothing new more often"),
        ({"name": "x", "top_n": "many"}, "top_n", "integer"),
        ({"name": "x", "resolution": 7}, "resolution", "7"),
        ({"name": "x", "steps": [61]}, "steps", "61"),
        ({"name": "x", "thresholds": {"network_latency": [2, 1]}}, "thresholds", "at most red"),
        ({"name": "x", "thresholds": []}, "thresholds", "metric"),
        ({"name": "x", "tags": ["t" * 41]}, "tags", "40 letters"),
        ({"name": "taken"}, "name", "already exists"),
        ({"filter": ""}, "name", "required"),
        ({"name": "x", "fliter": "port 80"}, "fliter", "no such field"),
    ],
)
def test_it_names_the_wrong_field(olivia: Client, body: Any, field: str, words: str) -> None:
    Monitor.objects.create(name="taken")
    answer = send(olivia, "POST", URL, body)
    assert answer.status_code == 400
    assert words.lower() in str(answer.json()[field]).lower()
    assert Monitor.objects.count() == 1


def test_it_does_not_change_the_resolution(olivia: Client, monitor: Monitor) -> None:
    answer = send(olivia, "PATCH", f"{URL}{monitor.pk}/", {"resolution": 1})
    assert answer.status_code == 400
    assert "cannot be changed" in answer.json()["resolution"][0]


def test_it_refuses_who_knows_an_older_state(olivia: Client, monitor: Monitor) -> None:
    one = f"{URL}{monitor.pk}/"
    tag = olivia.get(one).headers["ETag"]
    assert send(olivia, "PATCH", one, {"revision": 1, "filter": "port 80"}).status_code == 200
    assert send(olivia, "PATCH", one, {"revision": 1, "filter": "port 81"}).status_code == 409
    answer = send(olivia, "PATCH", one, {"top_n": 3}, **{"If-Match": tag})
    assert answer.status_code == 412
    assert send(olivia, "PATCH", one, {"top_n": 3}, **{"If-Match": olivia.get(one).headers["ETag"]}).status_code == 200
    assert send(olivia, "DELETE", one, **{"If-Match": tag}).status_code == 412


def test_it_clones_switches_and_pulls(olivia: Client, stub: StubNode, monitor: Monitor) -> None:
    pull()
    one = f"{URL}{monitor.pk}/"
    copy = send(olivia, "POST", f"{one}clone/").json()
    assert (copy["name"], copy["enabled"], copy["nodes"]) == ("Copy of web", False, [monitor.nodes.get().pk])
    assert send(olivia, "POST", f"{one}clone/").json()["name"] == "Copy 2 of web"
    assert send(olivia, "POST", f"{one}disable/").json()["enabled"] is False
    assert send(olivia, "POST", f"{one}enable/").json()["enabled"] is True
    assert send(olivia, "POST", f"{one}pull-now/").json() == {"due": 1}
    assert Pull.objects.get(monitor=monitor).next_run.timestamp() > NOW + 1000


def test_it_previews(olivia: Client, stub: StubNode, node: Node) -> None:
    stub.add(NOW - 5)
    answer = send(olivia, "POST", f"{URL}preview/", {"filter": "port 443", "nodes": [node.pk], "keys": ["server_ip"]})
    found = answer.json()
    assert (answer.status_code, found["matches"], found["asked"], found["answered"]) == (200, 1, 1, 1)
    assert found["examples"][0]["keys"]["server_port"] == 443
    assert found["bytes_per_day"] == sum(tier["bytes_per_day"] for tier in found["tiers"]) > 0
    wrong = send(olivia, "POST", f"{URL}preview/", {"filter": "tcp prot", "nodes": [node.pk]})
    assert (wrong.status_code, list(wrong.json())) == (400, ["filter"])
    assert "nobody is asked" in str(send(olivia, "POST", f"{URL}preview/", {}).json()["nodes"])


def test_it_exports_and_imports(olivia: Client, monitor: Monitor) -> None:
    answer = olivia.get(f"{URL}export/?format=yaml")
    assert answer.headers["Content-Type"].startswith("application/yaml")
    text = answer.content.decode()
    assert yaml.safe_load(text)["monitors"][0]["nodes"] == ["stub"]
    table = olivia.get(f"{URL}export/", headers={"Accept": "text/csv"}).content.decode()
    assert table.startswith("name,slug,kind")
    same = olivia.post(f"{URL}import/", table, content_type="text/csv").json()
    assert (same["applied"], same["summary"]) == (True, "0 new, 0 changed, 1 same, 0 wrong")
    new = text.replace("top_n: 5", "top_n: 6")
    dry = olivia.post(f"{URL}import/?dry_run=true", new, content_type="application/yaml").json()
    assert dry["items"][0]["changes"] == [{"field": "top_n", "old": "5", "new": "6"}]
    assert (dry["applied"], Monitor.objects.get().top_n) == (False, 5)
    assert olivia.post(f"{URL}import/", new, content_type="application/yaml").json()["applied"]
    assert Monitor.objects.get().top_n == 6
    bad = olivia.post(f"{URL}import/", "monitors:\n- name: y\n  top_n: 0\n", content_type="application/yaml")
    assert (bad.status_code, bad.json()["items"][0]["status"]) == (400, "wrong")
    assert olivia.post(f"{URL}import/", "7", content_type="application/yaml").status_code == 400
    assert olivia.post(f"{URL}import/", "{}", content_type="application/json").status_code == 415


def test_the_list_can_be_narrowed(olivia: Client, db: None) -> None:
    Monitor.objects.create(name="a", tags=["x"])
    Monitor.objects.create(name="b")
    assert [one["name"] for one in olivia.get(f"{URL}?tag=x").json()] == ["a"]
    assert [one["name"] for one in olivia.get(f"{URL}?name=b").json()] == ["b"]


def test_scopes_and_roles(monitor: Monitor, stub: StubNode, node: Node) -> None:
    user = get_user_model().objects.create_user("script")
    user.groups.add(Group.objects.get(name="operator"))
    _, reads = ApiToken.issue(user, "reads", ["read"])
    _, writes = ApiToken.issue(user, "deploy", ["read", "write"])
    one, client = f"{URL}{monitor.pk}/", Client()
    by = {"Authorization": f"Bearer {reads}"}
    assert send(client, "GET", one, **by).status_code == 200
    assert send(client, "PATCH", one, {"top_n": 3}, **by).status_code == 403
    assert send(client, "POST", f"{URL}preview/", {"nodes": [node.pk]}, **by).status_code == 200
    assert client.post(f"{URL}import/", "", content_type="text/csv", headers=by).status_code == 403
    assert send(client, "PATCH", one, {"top_n": 3}, Authorization=f"Bearer {writes}").status_code == 200
    assert history.events(monitor)[0].way == "API (token deploy)"
    victor = visitor("viewer")
    assert victor.get(one).status_code == 200
    assert send(victor, "PATCH", one, {"top_n": 4}).status_code == 403
    assert send(victor, "POST", f"{one}clone/").status_code == 403
    assert send(victor, "POST", f"{URL}preview/", {"nodes": [node.pk]}).status_code == 200


def test_saved_filters(olivia: Client) -> None:
    made = send(olivia, "POST", "/api/v1/filters/", {"name": "Web", "filter": " tcp  port 443 "})
    assert (made.status_code, made.json()["filter"]) == (201, "tcp port 443")
    assert SavedFilter.objects.get().created_by is not None
    wrong = send(olivia, "POST", "/api/v1/filters/", {"name": "Web", "filter": "tcp prot"})
    assert set(wrong.json()) == {"name", "filter"}
    one = f"/api/v1/filters/{made.json()['id']}/"
    assert send(olivia, "PATCH", one, {"description": "x"}).json()["filter"] == "tcp port 443"
    assert send(visitor("viewer"), "DELETE", one).status_code == 403
    assert send(olivia, "DELETE", one).status_code == 204


def test_the_schema_is_clean(capfd: pytest.CaptureFixture[str]) -> None:
    from drf_spectacular.drainage import GENERATOR_STATS
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.validation import validate_schema

    with GENERATOR_STATS.silence():
        schema = SchemaGenerator().get_schema(request=None, public=True)
        told = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    assert [line for line in told if "monitors" in line.split("collisions")[0] or "filters" in line] == []
    validate_schema(schema)
    paths = schema["paths"]
    assert set(paths["/api/v1/monitors/{id}/"]) == {"get", "put", "patch", "delete"}
    assert "application/yaml" in paths["/api/v1/monitors/import/"]["post"]["requestBody"]["content"]
    assert "text/csv" in paths["/api/v1/monitors/export/"]["get"]["responses"]["200"]["content"]
