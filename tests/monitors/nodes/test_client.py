"""Every way in which a node can fail to answer, in words that say what to do."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread
from typing import Any

import pytest

from monitors.nodes.client import NodeClient, NodeError
from tests.monitors.stub_node import StubNode


@dataclass
class Address:
    url: str
    name: str = "n"
    token: str = ""
    verify_tls: bool = True


QUERY: dict[str, Any] = {"id": "0", "by": [], "from": 0, "to": 10, "step": 10}


@pytest.fixture
def stub() -> Iterator[StubNode]:
    with StubNode(complete_until=100) as node:
        yield node


def test_it_asks_and_reads_line_by_line(stub: StubNode) -> None:
    stub.add(5, bytes_client=7)
    (line,) = NodeClient(stub).series([QUERY])
    assert line["columns"]["bytes_client"] == [7]


def test_it_sends_the_token(stub: StubNode) -> None:
    stub.token = "secret"
    assert NodeClient(Address(stub.url, token="secret")).status()["name"] == "stub"
    with pytest.raises(NodeError, match=r"refused our token \(401\): send a bearer token"):
        NodeClient(Address(stub.url)).status()


def test_it_counts_lines_that_cannot_be_read(stub: StubNode) -> None:
    stub.answer_with = lambda query: '{"half' if query["id"] == "0" else "[1]" if query["id"] == "1" else {"id": "2"}
    client = NodeClient(stub)
    assert list(client.series([{**QUERY, "id": str(n)} for n in range(3)])) == [{"id": "2"}]
    assert client.unreadable_lines == 2


def test_it_says_that_nobody_listens() -> None:
    with pytest.raises(NodeError, match=r"connection refused by 127.0.0.1:9: the node's API is not running there"):
        NodeClient(Address("http://127.0.0.1:9")).status()


def test_it_says_that_a_name_is_not_known() -> None:
    with pytest.raises(NodeError, match=r"the host name in nowhere.invalid:1 is not known"):
        NodeClient(Address("http://nowhere.invalid:1")).status()


def test_it_gives_up_when_nothing_comes(stub: StubNode) -> None:
    stub.delay_s = 1.0
    with pytest.raises(NodeError, match="accepted the call but sent nothing"):
        NodeClient(stub, read_s=0.1).status()


def test_it_gives_up_on_a_node_that_drips() -> None:
    """One byte now and then satisfies every read time-out; the whole call has a limit as well."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_drip, args=(server,), daemon=True).start()
        client = NodeClient(Address(f"http://127.0.0.1:{server.getsockname()[1]}"), read_s=1.0, whole_s=0.3)
        started = time.monotonic()
        with pytest.raises(NodeError, match="took longer than"):
            client.status()
        assert time.monotonic() - started < 2


def _drip(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(40):
            try:
                connection.sendall(b"1\r\n \r\n")
            except OSError:
                return
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"<html>", "answered 404: is this the address of a cStor node"),
        (500, b'{"title": "Internal error", "detail": "its log says why"}', "answered 500: its log says why"),
        (503, b"", "answered 503"),
        (200, b"<html>hello", "answered something that is not JSON"),
        (200, b"[1]", "not a JSON object"),
    ],
)
def test_it_says_what_else_was_answered(stub: StubNode, status: int, body: bytes, words: str) -> None:
    stub.http_status, stub.body = status, body
    with pytest.raises(NodeError, match=words):
        NodeClient(stub).status()


def test_it_says_that_what_answers_is_no_http(stub: StubNode) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_nonsense, args=(server,), daemon=True).start()
        with pytest.raises(NodeError, match=r"broke off|no HTTP"):
            NodeClient(Address(f"http://127.0.0.1:{server.getsockname()[1]}")).status()


def _nonsense(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(10_000)
        connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


def test_it_notices_a_clock_that_is_off(stub: StubNode) -> None:
    assert NodeClient(stub).status()["clock_skew_ms"] == 0
