"""Several workers on one broker, as on several hosts: Redis and RabbitMQ, two workers and two beats of each.

What counts is what is in the database: every second of every monitor once, whoever pulled it and whoever died.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from cclear.environment import ROOT
from monitors.models import Monitor, Node, Pull, Rollup
from tests.brokers import Broker, RabbitMQ, Redis
from tests.monitors.samples import totals
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_S = 90
NODES = 3
MONITORS = 4
SECONDS = 40


class Cluster:
    """Celery processes on one broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.folder = Path(tempfile.mkdtemp(prefix="cclear-workers-"))
        self.members: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.members[name] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "cclear", "--quiet", *words],
                cwd=ROOT,
                env=os.environ | {"CELERY_BROKER_URL": self.broker.url},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def worker(self, name: str, pool: str) -> None:
        self.start(
            name,
            *("worker", "--hostname", f"{name}@test", "--queues", "pulls,rollups,default", "--loglevel", "INFO"),
            *("--pool", pool, "--concurrency", "2", "--without-gossip", "--without-mingle"),
        )

    def beat(self, name: str) -> None:
        self.start(name, "beat", "--schedule", str(self.folder / name), "--pidfile", "", "--loglevel", "INFO")

    def kill(self, name: str) -> None:
        """`kill -9`, children as well."""
        process = self.members.pop(name)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for member in family:
            member.kill()
        process.wait()

    def pulled(self, name: str) -> int:
        """Batches that a worker has run to their end."""
        return self.log(name).count("Task monitors.tasks.pull[")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        for process in self.members.values():
            process.send_signal(signal.SIGTERM)
        for name in list(self.members):
            try:
                self.members[name].wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill(name)


def until(holds: Callable[[], object], what: str, cluster: Cluster) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"{what}\n" + "\n".join(cluster.log(name)[-1500:] for name in cluster.members)
        time.sleep(0.2)


@pytest.fixture(params=[Redis, RabbitMQ], ids=["redis", "rabbitmq"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    kind: type[Broker] = request.param
    if not kind.is_installed():
        pytest.skip(f"{kind.program} is not installed")
    with kind() as broker:
        cluster = Cluster(broker)
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def stubs() -> Iterator[list[StubNode]]:
    with ExitStack() as stack:
        yield [stack.enter_context(StubNode(name=f"stub-{n}")) for n in range(NODES)]


def _fill(stubs: list[StubNode], start: int, seconds: int) -> int:
    """Traffic of every second; the second after the last."""
    for number, stub in enumerate(stubs):
        for t in range(start, start + seconds):
            stub.add(t, bytes_client=1000 + number, packets_client=1)
        stub.complete_until = start + seconds
    return start + seconds


def _is_pulled(end: int) -> bool:
    pulls = list(Pull.objects.all())
    return len(pulls) == NODES * MONITORS and all(pull.covered and pull.covered[-1][1] >= end for pull in pulls)


def test_two_workers_share_the_load_and_one_goes_on_alone(cluster: Cluster, stubs: list[StubNode]) -> None:
    start = int(time.time()) // 60 * 60 - 3600
    end = _fill(stubs, start, SECONDS)
    nodes = [Node.objects.create(name=stub.name, url=stub.url) for stub in stubs]
    monitors = [Monitor.objects.create(name=f"m{n}", resolution=1, interval_s=1, keys=[]) for n in range(MONITORS)]
    for monitor in monitors:
        monitor.nodes.set(nodes)
    cluster.worker("threads", "threads")
    cluster.worker("processes", "prefork")
    for beat in ("beat", "second-beat"):
        cluster.beat(beat)
    until(lambda: _is_pulled(end), "nothing more is pulled", cluster)
    until(lambda: cluster.pulled("threads") and cluster.pulled("processes"), "one worker does everything", cluster)

    cluster.kill("processes")
    cluster.kill("beat")
    end = _fill(stubs, end, SECONDS)
    until(lambda: _is_pulled(end), "the worker that is left does not go on", cluster)

    cluster.broker.kill()
    end = _fill(stubs, end, SECONDS)
    cluster.broker.start()
    until(lambda: _is_pulled(end), "it does not go on after the broker came back", cluster)
    until(lambda: not Rollup.objects.filter(step=60).exists(), "runs are not folded", cluster)

    expected = {t: sum(1000 + number for number in range(NODES)) for t in range(start, end)}
    for monitor in monitors:
        assert totals(monitor, 1) == expected
        assert totals(monitor, 60) == {
            minute: sum(value for t, value in expected.items() if minute <= t < minute + 60)
            for minute in range(start, end, 60)
        }
