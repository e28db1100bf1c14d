"""The steps of a connection: each failure is said at the step where it happens, and nothing is asked after it."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from monitors.models import Node
from monitors.nodes.probe import Probe, probe
from tests.monitors.authority import Authority, speak_tls
from tests.monitors.nodes.names import Names, names
from tests.monitors.stub_node import StubNode

__all__ = ["names"]


def steps(found: Probe) -> list[tuple[str, str]]:
    return [(step.label, step.state) for step in found.steps]


def tried(url: str, **fields: Any) -> Probe:
    return probe(Node(name="n", url=url, **fields))


def test_it_says_every_step(stub: StubNode, names: Names) -> None:
    names.set("node.test", "127.0.0.1")
    stub.token = "t"
    found = tried(f"http://node.test:{stub.port}", token="t")
    assert found.ok and found.status is not None
    assert steps(found) == [(label, "ok") for label in ("Name", "Connection", "Token", "Version", "Clock")]
    words = [step.words for step in found.steps]
    assert words[0] == "node.test is 127.0.0.1"
    assert words[1].startswith(f"127.0.0.1 port {stub.port} in ")
    assert words[2:4] == ["accepted", "cStor stub, calls itself stub"]


def test_it_stops_at_the_name(names: Names) -> None:
    found = tried("http://nowhere.test:8801")
    assert steps(found) == [("Name", "failed")] and not found.ok
    assert "knows no such name" in found.error


def test_it_stops_at_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = tried(f"http://127.0.0.1:{port}")
    assert steps(found) == [("Connection", "failed")]
    assert found.error == f"connection refused by 127.0.0.1:{port}: the node's API is not running there"


def test_it_tries_every_address(stub: StubNode, names: Names) -> None:
    names.set("node.test", "127.0.0.1", "127.0.0.99")
    assert tried(f"http://node.test:{stub.port}").ok


def test_it_stops_at_tls(stub: StubNode, tmp_path: Path) -> None:
    authority = Authority()
    url = speak_tls(stub, authority.issue("127.0.0.1"), tmp_path)
    found = tried(url)
    assert steps(found) == [("Connection", "ok"), ("TLS", "failed")]
    assert "paste the CA certificate" in found.error
    found = tried(url, ca_certificate=authority.pem)
    assert found.ok and found.steps[1].words.startswith("verified for 127.0.0.1; TLSv1.3, valid until 20")
    assert "issued by CN=Test authority" in found.steps[1].words
    found = tried(url, verify_tls=False)
    assert found.ok and (found.steps[1].label, found.steps[1].state) == ("TLS", "warning")
    assert "not verified, as the form says" in found.steps[1].words


def test_it_stops_at_the_token(stub: StubNode) -> None:
    stub.token = "t"
    found = tried(stub.url, token="wrong")
    assert steps(found) == [("Connection", "ok"), ("Token", "failed")]
    assert "refused our token (401)" in found.error
    assert tried(stub.url).error == found.error


def test_it_knows_that_something_else_answers(stub: StubNode) -> None:
    stub.http_status, stub.body = 404, b"<html>"
    assert "is this the address of a cStor node?" in tried(stub.url).error
    stub.http_status, stub.body = 200, json.dumps({"hello": 1}).encode()
    found = tried(stub.url)
    assert ("Version", "warning") in steps(found)


def test_it_measures_the_clock(stub: StubNode) -> None:
    stub.status = {"now": time.time() + 3600}
    found = tried(stub.url)
    assert found.steps[-1].state == "warning" and found.ok
    assert found.steps[-1].words.endswith("ahead of ours: set both by NTP")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "https://[::1]:1", "http://127.0.0.1"])
def test_it_lives_with_any_address(url: str) -> None:
    assert not tried(url).ok
