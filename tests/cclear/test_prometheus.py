"""The console's own numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from monitors.models import Monitor, Node, Pull, Rollup

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    user = get_user_model().objects.create_user("victor")
    user.groups.add(Group.objects.get(name="viewer"))
    client.force_login(user)
    return client


def _lines(client: Client) -> list[str]:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return answer.content.decode().splitlines()


def test_it_tells_the_lag_of_the_monitor_that_is_furthest_behind(viewer: Client) -> None:
    node = Node.objects.create(name='a "b"', url="http://127.0.0.1:1", error="connection refused")
    now = timezone.now()
    for name, behind in (("one", 5), ("two", 100)):
        end = int(now.timestamp()) - behind
        monitor = Monitor.objects.create(name=name)
        monitor.nodes.add(node)
        Pull.objects.create(monitor=monitor, node=node, next_run=now, covered=((end - 60, end),), error="no")
    lines = _lines(viewer)
    lag = next(line for line in lines if line.startswith("cclear_pull_lag_seconds{"))
    assert lag.startswith('cclear_pull_lag_seconds{node="a \\"b\\""} 10')
    assert 'cclear_node_up{node="a \\"b\\""} 0' in lines
    assert 'cclear_pulls_failing{node="a \\"b\\""} 2' in lines


def test_it_counts_what_waits(viewer: Client) -> None:
    long_ago = timezone.now() - timedelta(minutes=1)
    Rollup.objects.create(monitor_id=1, step=60, run=0, due=long_ago)
    lines = _lines(viewer)
    assert "cclear_rollup_backlog 1" in lines
    assert 'cclear_queue_messages{queue="pulls"} 0' in lines


def test_it_is_not_for_everybody(client: Client) -> None:
    assert client.get("/metrics").status_code == 401


def test_it_tells_what_is_owed_and_which_breakers_are_open(viewer: Client) -> None:
    now = timezone.now()
    second = int(now.timestamp())
    told = {"kept_from": second - 1000, "complete_until": second - 100, "mode": "capture"}
    node = Node.objects.create(
        name="n", url="http://n", status=told, failures=3, retry_at=now + timedelta(seconds=20), skew_ms=-2500
    )
    monitor = Monitor.objects.create(name="m")
    monitor.nodes.add(node)
    spans = {"covered": ((second - 700, second - 400),), "lost": ((second - 800, second - 700),)}
    Pull.objects.create(monitor=monitor, node=node, next_run=now, stale=((second - 700, second - 650),), **spans)
    lines = _lines(viewer)
    assert 'cclear_node_breaker_open{node="n"} 1' in lines
    assert 'cclear_node_clock_skew_seconds{node="n"} -2.5' in lines
    assert 'cclear_pull_owed_seconds{node="n"} 500' in lines
    assert 'cclear_pull_stale_seconds{node="n"} 50' in lines
    assert 'cclear_pull_lost_seconds{node="n"} 100' in lines
    assert 'cclear_pulls{state="warning"} 1' in lines
    assert "cclear_broker_up 1" in lines
