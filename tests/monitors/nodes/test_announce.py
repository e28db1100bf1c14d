"""Nodes that announce themselves, over the API as a boot script does it."""

from __future__ import annotations

import shlex
import subprocess
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from monitors.models import ApiToken, Monitor, Node, NodeGroup, Origin, Target
from tests.monitors.cast import visitor

pytestmark = pytest.mark.django_db

SAID = {"name": "east-1", "url": "http://10.0.0.5:8801/api/v1/", "token": "node-token"}


@pytest.fixture
def group() -> NodeGroup:
    return NodeGroup.objects.create(name="East side")


def token(*scopes: str, role: str = "operator") -> str:
    user, _ = get_user_model().objects.get_or_create(username=f"robot-{role}")
    user.groups.add(Group.objects.get(name=role))
    return ApiToken.issue(user, "boot", list(scopes))[1]


def join(group: str, secret: str, **said: Any) -> Any:
    return Client().post(
        f"/api/v1/node-groups/{group}/join",
        {**SAID, **said},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )


def test_it_adds_the_node_and_its_monitors_ask_it(group: NodeGroup) -> None:
    monitor = Monitor.objects.create(name="m")
    monitor.groups.add(group)
    answer = join(str(group.pk), token("join"))
    assert (answer.status_code, answer.json()["is_new"]) == (201, True)
    node = Node.objects.get()
    assert (node.name, node.url, node.token, node.origin) == (
        "east-1",
        "http://10.0.0.5:8801",
        "node-token",
        Origin.ANNOUNCED,
    )
    assert Target.objects.get(monitor=monitor).node == node
    assert "node-token" not in answer.content.decode()


def test_it_may_be_said_as_often_as_one_likes(group: NodeGroup) -> None:
    secret = token("join")
    codes = [join("East%20side", secret).status_code for _ in range(3)]
    assert codes == [201, 200, 200]
    assert Node.objects.count() == group.nodes.count() == 1


def test_it_brings_the_group_to_a_node_that_is_known(group: NodeGroup) -> None:
    Node.objects.create(name="east-1", url="http://10.0.0.5:8801", token="by hand")
    assert join(str(group.pk), token("join")).status_code == 200
    node = Node.objects.get()
    assert (node.token, node.origin, list(node.groups.all())) == ("by hand", Origin.ADDED, [group])


def test_it_does_not_let_a_name_be_taken_over(group: NodeGroup) -> None:
    Node.objects.create(name="east-1", url="http://10.0.0.9:8801", token="by hand")
    answer = join(str(group.pk), token("join"))
    assert answer.status_code == 409
    assert "another address already" in answer.json()["detail"]
    assert Node.objects.get().url == "http://10.0.0.9:8801"


def test_it_sends_a_stored_token_to_no_new_address(group: NodeGroup) -> None:
    secret = token("join")
    join(str(group.pk), secret)
    join(str(group.pk), secret, url="http://10.66.66.66:8801", token="")
    assert Node.objects.get().token == ""
    join(str(group.pk), secret)
    Client().post(
        f"/api/v1/node-groups/{group.pk}/join/",
        {"name": "east-1", "url": "http://10.66.66.66:8801"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert (Node.objects.get().url, Node.objects.get().token) == ("http://10.66.66.66:8801", "")


def test_it_takes_a_moved_node_with_its_token(group: NodeGroup) -> None:
    secret = token("join")
    join(str(group.pk), secret)
    Node.objects.update(failures=5, error="no")
    assert join(str(group.pk), secret, url="http://10.0.0.6:8801", token="second").status_code == 200
    node = Node.objects.get()
    assert (node.url, node.token, node.failures, node.error) == ("http://10.0.0.6:8801", "second", 0, "")


def test_it_gives_the_groups_tls(group: NodeGroup) -> None:
    NodeGroup.objects.filter(pk=group.pk).update(verify_tls=False)
    join(str(group.pk), token("join"), url="https://10.0.0.5:8801")
    assert Node.objects.get().verify_tls is False


@pytest.mark.parametrize(
    ("scopes", "role", "code"), [(["read", "write"], "operator", 403), (["join"], "viewer", 403), ([], "operator", 403)]
)
def test_it_needs_the_scope_and_the_role(group: NodeGroup, scopes: list[str], role: str, code: int) -> None:
    assert join(str(group.pk), token(*scopes, role=role)).status_code == code
    assert not Node.objects.exists()


def test_its_scope_allows_nothing_else(group: NodeGroup) -> None:
    headers = {"Authorization": f"Bearer {token('join')}"}
    for path in ("/api/v1/nodes/", f"/api/v1/node-groups/{group.pk}/", "/api/v1/monitors/"):
        assert Client().get(path, headers=headers).status_code == 403
    assert Client().delete(f"/api/v1/node-groups/{group.pk}/", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("said", "field"),
    [({"url": "nonsense"}, "url"), ({"name": ""}, "name"), ({"token": "two words"}, "token"), ({"url": None}, "url")],
)
def test_it_says_what_is_wrong(group: NodeGroup, said: dict[str, Any], field: str) -> None:
    answer = join(str(group.pk), token("join"), **said)
    assert answer.status_code == 400 and field in answer.json()
    assert "two words" not in answer.content.decode()


def test_it_knows_no_other_group(group: NodeGroup) -> None:
    assert join("West", token("join")).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_node_of_many_calls_at_once(group: NodeGroup) -> None:
    from monitors.nodes import announce

    results: list[bool] = []

    def work() -> None:
        try:
            results.append(announce.join(group, "east-1", "http://10.0.0.5:8801", "t")[1])
        finally:
            connection.close()

    threads = [Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 4 + [True]
    assert Node.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_line_of_its_page_works_in_a_shell(group: NodeGroup, live_server: Any) -> None:
    client = visitor("operator")
    page = client.get(f"/nodes/groups/{group.pk}/", headers={"host": live_server.url.split("//")[1]})
    line = page.context["line"].replace("JOIN_TOKEN", token("join")).replace("NAME", "east-7")
    line = line.replace("ADDRESS", "10.0.0.7").replace("NODE_TOKEN", "its")
    assert shlex.split(line)[0] == "curl"
    for _ in range(2):
        run = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
    node = Node.objects.get()
    assert (node.name, node.url, node.token) == ("east-7", "http://10.0.0.7:8801", "its")
