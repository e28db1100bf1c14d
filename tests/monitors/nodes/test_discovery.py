"""Members that are found behind the address of a group: once each, whoever looks and however often."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from cclear.celery import app
from monitors import tasks
from monitors.models import Monitor, Node, NodeGroup, Origin, Target
from monitors.nodes import discovery
from monitors.nodes.client import NodeClient
from monitors.pulls.claim import claim, claim_status
from tests.monitors.authority import Authority, speak_tls
from tests.monitors.clock import NOW
from tests.monitors.nodes.cluster import Cluster, cluster
from tests.monitors.nodes.names import Names, names

__all__ = ["cluster", "names"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(names: Names, cluster: Cluster) -> NodeGroup:
    cluster.add("127.0.0.2", "east-1", token="t")
    cluster.add("127.0.0.3", "east-2", token="t")
    names.set("cluster.test", "127.0.0.3", "127.0.0.2")
    return NodeGroup.objects.create(name="East", address=f"http://cluster.test:{cluster.port}", token="t")


def found(group: NodeGroup) -> list[tuple[str, str]]:
    return [(node.name, node.url.rsplit(":", 1)[0]) for node in group.nodes.order_by("url")]


def targets(monitor: Monitor) -> list[str]:
    return sorted(Target.objects.filter(monitor=monitor).values_list("node__name", flat=True))


def test_it_makes_a_node_of_every_address(group: NodeGroup) -> None:
    assert discovery.look(group.pk, NOW) == ""
    assert found(group) == [("east-1", "http://127.0.0.2"), ("east-2", "http://127.0.0.3")]
    for node in Node.objects.all():
        assert (node.origin, node.found_by, node.token, node.left_at) == (Origin.FOUND, group, "t", None)


def test_it_changes_nothing_the_second_time(group: NodeGroup, django_assert_max_num_queries: Any) -> None:
    discovery.look(group.pk, NOW)
    before = list(Node.objects.values())
    with django_assert_max_num_queries(20):
        discovery.look(group.pk, NOW + 30)
    assert list(Node.objects.values()) == before


def test_its_members_are_pulled_at_once_by_every_monitor_of_the_group(group: NodeGroup) -> None:
    monitor = Monitor.objects.create(name="m")
    monitor.groups.add(group)
    discovery.look(group.pk, NOW)
    assert targets(monitor) == ["east-1", "east-2"]
    assert len(claim(NOW)) == 2


def test_it_keeps_who_left_with_its_history(group: NodeGroup, names: Names) -> None:
    monitor, everywhere = Monitor.objects.create(name="m"), Monitor.objects.create(name="all")
    monitor.groups.add(group)
    everywhere.groups.add(NodeGroup.objects.get_or_create(is_all=True, defaults={"name": "All nodes"})[0])
    discovery.look(group.pk, NOW)
    claim(NOW)
    names.set("cluster.test", "127.0.0.2")
    discovery.look(group.pk, NOW + 30)
    left = Node.objects.get(name="east-2")
    assert left.left_at is not None and left.left_at.timestamp() == NOW + 30
    assert left.pulls.filter(monitor=monitor).exists()
    assert targets(monitor) == targets(everywhere) == ["east-1"]
    assert claim_status(NOW + 60) == [Node.objects.get(name="east-1").pk], "nobody asks for its health"
    names.set("cluster.test", "127.0.0.2", "127.0.0.3")
    discovery.look(group.pk, NOW + 60)
    left.refresh_from_db()
    assert left.left_at is None and targets(monitor) == ["east-1", "east-2"]
    assert Node.objects.count() == 2


@pytest.mark.parametrize("error", [socket.EAI_AGAIN, socket.EAI_NONAME])
def test_it_takes_no_silence_of_dns_for_an_empty_cluster(group: NodeGroup, names: Names, error: int) -> None:
    discovery.look(group.pk, NOW)
    names.error = error
    assert "does not resolve" in discovery.look(group.pk, NOW + 30)
    group.refresh_from_db()
    assert "cluster.test does not resolve" in group.error and len(found(group)) == 2
    names.error = None
    discovery.look(group.pk, NOW + 60)
    group.refresh_from_db()
    assert group.error == ""


def test_it_knows_a_node_that_moved_by_its_name(group: NodeGroup, names: Names, cluster: Cluster) -> None:
    discovery.look(group.pk, NOW)
    before = Node.objects.get(name="east-2").pk
    cluster.add("127.0.0.4", "east-2", token="t")
    names.set("cluster.test", "127.0.0.2", "127.0.0.4")
    discovery.look(group.pk, NOW + 30)
    node = Node.objects.get(name="east-2")
    assert (node.pk, node.url, node.left_at) == (before, f"http://127.0.0.4:{cluster.port}", None)


def test_it_tells_two_of_one_name_apart(group: NodeGroup, names: Names, cluster: Cluster) -> None:
    cluster.add("127.0.0.4", "east-1", token="t")
    names.set("cluster.test", "127.0.0.2", "127.0.0.4")
    discovery.look(group.pk, NOW)
    assert [name for name, _ in found(group)] == ["east-1", "east-1 (2)"]


def test_it_names_who_does_not_answer_later(group: NodeGroup, cluster: Cluster) -> None:
    cluster.machines["127.0.0.3"].stop()
    discovery.look(group.pk, NOW)
    where = f"East 127.0.0.3:{cluster.port}"
    assert [name for name, _ in found(group)] == ["east-1", where]
    cluster.machines["127.0.0.3"].start()
    Node.objects.filter(name=where).update(status={"name": "east-2"})
    discovery.look(group.pk, NOW + 30)
    assert [name for name, _ in found(group)] == ["east-1", "east-2"]


def test_it_leaves_alone_what_was_added_by_hand(group: NodeGroup, names: Names, cluster: Cluster) -> None:
    own = Node.objects.create(name="mine", url=f"http://127.0.0.2:{cluster.port}", token="mine")
    other = Node.objects.create(name="other", url="http://127.0.0.9:1")
    group.nodes.add(other)
    discovery.look(group.pk, NOW)
    names.set("cluster.test", "127.0.0.3")
    discovery.look(group.pk, NOW + 30)
    own.refresh_from_db()
    assert (own.token, own.origin, own.left_at) == ("mine", Origin.ADDED, None)
    assert set(group.nodes.values_list("name", flat=True)) == {"mine", "other", "east-2"}


def test_its_members_follow_the_groups_token(group: NodeGroup) -> None:
    discovery.look(group.pk, NOW)
    Node.objects.update(failures=3, error="refused our token")
    group.token = "new"
    group.save()
    discovery.look(group.pk, NOW + 30)
    for node in Node.objects.all():
        assert (node.token, node.failures, node.error) == ("new", 0, "")


def test_it_looks_at_most_every_half_minute(group: NodeGroup) -> None:
    NodeGroup.objects.create(name="by hand")
    assert discovery.claim(NOW) == [group.pk]
    assert discovery.claim(NOW + 29) == []
    assert discovery.claim(NOW + 30) == [group.pk]


def test_it_verifies_certificates_for_the_name_of_the_group(names: Names, cluster: Cluster, tmp_path: Path) -> None:
    """The machines are reached by their addresses; their certificates are the cluster's."""
    authority = Authority()
    for address, name in (("127.0.0.2", "s-1"), ("127.0.0.3", "s-2")):
        speak_tls(cluster.add(address, name), authority.issue("secure.test"), tmp_path)
    speak_tls(cluster.add("127.0.0.4", "impostor"), authority.issue("other.test"), tmp_path)
    names.set("secure.test", *cluster.machines)
    group = NodeGroup.objects.create(
        name="Secure", address=f"https://secure.test:{cluster.port}", ca_certificate=authority.pem
    )
    discovery.look(group.pk, NOW)
    *good, bad = group.nodes.order_by("url")
    assert [(node.name, node.tls_name) for node in good] == [("s-1", "secure.test"), ("s-2", "secure.test")]
    assert [NodeClient(node).status()["name"] for node in good] == ["s-1", "s-2"]
    with pytest.raises(Exception, match=r"not made out for secure\.test"):
        NodeClient(bad).status()


@pytest.mark.django_db(transaction=True)
def test_it_makes_no_double_where_two_workers_look_at_once(group: NodeGroup) -> None:
    other = NodeGroup.objects.create(name="same", address=group.address, token="t")
    start, errors = Barrier(6), []

    def work(group_id: int) -> None:
        try:
            start.wait()
            for _ in range(3):
                discovery.look(group_id, NOW)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(pk,)) for pk in (group.pk, other.pk) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Node.objects.count() == 2
    assert len(found(group)) == len(found(other)) == 2


def test_a_worker_looks_when_beat_says_so(group: NodeGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tasks.look_behind, "apply_async", lambda args, **options: sent.extend(args))
    tasks.look()
    tasks.look()
    assert sent == [group.pk], "the second time is too early"
    tasks.look_behind(*sent)
    assert len(found(group)) == 2
    assert app.conf.beat_schedule["look"]["task"] == tasks.look.name
