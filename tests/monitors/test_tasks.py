"""The tasks as Celery runs them: what a tick sets off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from cclear.celery import app
from monitors import tasks
from monitors.models import Monitor, Node, Partition, Pull
from tests.monitors.samples import totals
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager = app.conf.task_eager_propagates = False


def test_it_pulls_and_asks_for_health_each_tick(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    stub.complete_until = None
    monitor = make_monitor()
    t = int(time.time()) // 10 * 10 - 60
    stub.add(t, bytes_client=3)
    tasks.tick()
    assert totals(monitor, 10) == {t: 3}
    node = Node.objects.get()
    assert node.checked_at is not None
    assert node.status["version"] == "stub"
    calls = len(stub.calls)
    tasks.tick()
    assert len(stub.calls) == calls, "nothing is due yet"


def test_it_ignores_a_message_whose_work_is_done(stub: StubNode, monitor: Monitor) -> None:
    tasks.pull(Node.objects.get().pk, "6f5902ac-237b-4f4d-9f3a-0d3a1c1c0a35")
    tasks.pull_status(12345)
    assert stub.calls == []


def test_it_folds_and_maintains(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    monitor = make_monitor()
    stub.complete_until = time.time()
    t = int(time.time()) // 86_400 * 86_400 - 86_400
    stub.add(t, bytes_client=3)
    tasks.tick()
    Pull.objects.update(next_run="2000-01-01T00:00Z")
    tasks.tick()
    tasks.maintain()
    assert Partition.objects.filter(step=86_400).exists()
    tasks.rollup()
    assert totals(monitor, 10) == {t: 3}


def test_it_routes_each_task_to_a_queue_that_is_served() -> None:
    queues = {name: app.amqp.router.route({}, name)["queue"].name for name in app.tasks if name.startswith("monitors.")}
    assert queues["monitors.tasks.tick"] == "pulls"
    assert queues["monitors.tasks.pull"] == queues["monitors.tasks.pull_status"] == "pulls"
    assert queues["monitors.tasks.rollup"] == "rollups"
    assert queues["monitors.tasks.retention"] == "default"
