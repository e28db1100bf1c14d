"""Nodes that misbehave, each in its own way, beside a good one that is never late for them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection

from monitors.models import Monitor, Node, Pull
from monitors.nodes import client as clients
from monitors.nodes.health import BREAKER_FAILURES, BREAKER_S, failed
from monitors.pulls.claim import Lease, claim, claim_status
from monitors.pulls.run import run
from tests.monitors.clock import NOW
from tests.monitors.samples import totals
from tests.monitors.stub_node import StubNode

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def hang(visitor: socket.socket, over: Event) -> None:
    """Takes the call and says nothing."""
    over.wait()


def drip(visitor: socket.socket, over: Event) -> None:
    """A byte now and then, so that no read ever times out."""
    visitor.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while not over.wait(0.05):
        visitor.sendall(b" ")


def fail(visitor: socket.socket, over: Event) -> None:
    """The node's own error page."""
    visitor.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def talk_nonsense(visitor: socket.socket, over: Event) -> None:
    """Random bytes where JSON should be."""
    visitor.sendall(HEAD + b"Connection: close\r\n\r\n\x00\xff{[}\n\x07nonsense")


def reset(visitor: socket.socket, over: Event) -> None:
    """Breaks the connection: lingering for no time, closing sends RST."""
    visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Behaviour = Callable[[socket.socket, Event], None]
BAD: dict[str, tuple[Behaviour, str]] = {
    "hangs": (hang, "accepted the call but sent nothing"),
    "drips": (drip, "took longer than"),
    "fails": (fail, "answered 500"),
    "babbles": (talk_nonsense, "not JSON"),
    "resets": (reset, "broke off"),
}


def serve(stack: ExitStack, behaviour: Behaviour, over: Event) -> str:
    """A node that does this to whoever calls; its URL."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def visit(visitor: socket.socket) -> None:
        with visitor, suppress(OSError):
            visitor.recv(1 << 20)
            behaviour(visitor, over)

    def listen() -> None:
        with suppress(OSError):
            while True:
                Thread(target=visit, args=(server.accept()[0],), daemon=True).start()

    Thread(target=listen, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def bad_nodes(transactional_db: None, stub: StubNode, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """Five bad nodes and a good one, which all monitors ask; the good one."""
    monkeypatch.setattr(clients, "READ_S", 0.5)
    monkeypatch.setattr(clients, "WHOLE_S", 1.0)
    monkeypatch.setattr("monitors.nodes.health.STATUS_S", 1.0)
    over = Event()
    with ExitStack() as stack:
        good = Node.objects.create(name="good", url=stub.url)
        nodes = [Node.objects.create(name=name, url=serve(stack, how, over)) for name, (how, _) in BAD.items()]
        monitors = [Monitor.objects.create(name=f"m{n}", resolution=10, interval_s=10, keys=[]) for n in range(3)]
        for node in (good, *nodes):
            node.monitors.set(monitors)
        yield good
        over.set()


class Worker:
    """As many threads as the worker for pulls has; each batch in one of them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(16)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown()

    def start(self, lease: Lease, now: float) -> Future[Any]:
        return self._pool.submit(self._run, lease, now)

    def _run(self, lease: Lease, now: float) -> Any:
        try:
            return run(lease, clock=lambda: now)
        finally:
            connection.close()


def test_it_is_on_time_for_a_good_node_whatever_the_others_do(bad_nodes: Node, stub: StubNode) -> None:
    """Each round the good node's rows are there before the hanging ones have even given up."""
    with Worker() as worker:
        for number in range(1, BREAKER_FAILURES + 1):
            now = NOW + 20 * number
            stub.add(now - 15, bytes_client=1)
            stub.complete_until = now
            batches = {lease.node_id: worker.start(lease, now) for lease in claim(now)}
            assert len(batches) == 1 + len(BAD)
            (result,) = batches[bad_nodes.pk].result(timeout=60)
            assert (result.pulls, result.error) == (3, "")
            assert {pull.covered[-1][1] for pull in Pull.objects.filter(node=bad_nodes)} == {now}
            for batch in batches.values():
                batch.result(timeout=60)
    for monitor in Monitor.objects.all():
        assert sum(totals(monitor, 10).values()) == BREAKER_FAILURES
    for name, (_, words) in BAD.items():
        node = Node.objects.get(name=name)
        assert words in node.error, name
        assert node.failures >= BREAKER_FAILURES
        assert node.retry_at is not None, "its breaker is open"
        assert {pull.error for pull in node.pulls.all()} == {node.error}
    assert Node.objects.get(name="good").failures == 0


def opened(now: float) -> None:
    """Every breaker but the good node's, at this moment."""
    for node in Node.objects.exclude(name="good"):
        for _ in range(BREAKER_FAILURES):
            failed(node.pk, "broken", now)


def test_it_sends_nobody_but_one_batch_to_an_open_breaker(bad_nodes: Node) -> None:
    opened(NOW)
    assert [lease.node_id for lease in claim(NOW + 1)] == [bad_nodes.pk]
    assert claim_status(NOW + BREAKER_S - 1) == [bad_nodes.pk], "the health check stays away as well"
    probes = [lease for lease in claim(NOW + BREAKER_S + 1) if lease.node_id != bad_nodes.pk]
    assert len(probes) == len(BAD)
    assert len({lease.node_id for lease in probes}) == len(BAD), "half open: one batch each"
    assert claim(NOW + BREAKER_S + 2) == []


def test_it_stays_open_for_as_long_as_it_said(bad_nodes: Node) -> None:
    opened(NOW)
    node = Node.objects.get(name="hangs")
    failed(node.pk, "a call that was under way", NOW + 9)
    node.refresh_from_db()
    assert node.retry_at is not None
    assert node.retry_at.timestamp() == NOW + BREAKER_S


def test_it_pulls_at_once_what_waited_for_a_node_that_is_back(bad_nodes: Node, stub: StubNode) -> None:
    opened(NOW)
    with Worker() as worker:
        for lease in claim(NOW + 31):
            worker.start(lease, NOW + 31)
    Node.objects.filter(name="resets").update(url=stub.url)
    stub.complete_until = NOW + 70
    (lease,) = (lease for lease in claim(NOW + 65) if lease.node_id == Node.objects.get(name="resets").pk)
    (result,) = run(lease, clock=lambda: NOW + 70)
    assert (result.pulls, result.failed) == (3, 0), "no back-off of their own keeps them away for longer"
    assert Node.objects.get(name="resets").retry_at is None
