"""Every way in which a node can fail to answer, in words that say what to do."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from monitors.nodes.client import NodeClient, NodeError
from tests.monitors.stub_node import StubNode


@dataclass
class Address:
    url: str
    name: str = "n"
    token: str = ""
    verify_tls: bool = True
    ca_certificate: str = ""


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


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "drop"),
    [(CHUNKED, b"1\r\n \r\n"), (SIZED, b" "), (b"HTTP/1.1 200 OK\r\nX: ", b"x"), (b"", b"H")],
    ids=["chunks", "body", "header", "status line"],
)
def test_it_gives_up_on_a_node_that_drips(head: bytes, drop: bytes) -> None:
    """One byte now and then satisfies every read time-out; the whole call has a limit as well."""
    done = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_drip, args=(server, head, drop, done), daemon=True).start()
        client = NodeClient(Address(f"http://127.0.0.1:{server.getsockname()[1]}"), read_s=5.0, whole_s=0.3)
        with pytest.raises(NodeError, match="took longer than"):
            client.status()
        assert not done.is_set(), "the node would have gone on for longer"
        done.set()


def _drip(server: socket.socket, head: bytes, drop: bytes, done: Event) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(10_000)
        connection.sendall(head)
        for _ in range(400):
            try:
                connection.sendall(drop)
            except OSError:
                return
            if done.wait(0.05):
                return
        done.set()


def test_it_says_that_the_connection_was_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_reset, args=(server,), daemon=True).start()
        with pytest.raises(NodeError, match=r"the connection to .* broke off"):
            NodeClient(Address(f"http://127.0.0.1:{server.getsockname()[1]}")).status()


def _reset(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.recv(10_000)
    # Lingering for no time at all: closing sends RST.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


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


def test_it_measures_how_far_a_clock_is_off(stub: StubNode) -> None:
    """What the round trip leaves open is not counted: the node read its clock at some time in it."""
    assert NodeClient(stub).status()["clock_skew_ms"] == 0, "by its Date header, which has whole seconds"
    for ahead_s in (0.0, 7.5, -3600.0):
        stub.say_status = lambda ahead=ahead_s: {"now": time.time() + ahead}  # type: ignore[method-assign]
        assert NodeClient(stub).status()["clock_skew_ms"] == pytest.approx(1000 * ahead_s, abs=500)
    stub.say_status = lambda: {"now": "noon"}  # type: ignore[method-assign]
    assert NodeClient(stub).status()["clock_skew_ms"] == 0


def test_it_trusts_the_operators_own_authority_and_nobody_else(stub: StubNode, tmp_path: Path) -> None:
    ca, other = authority(), authority()
    certificate = tmp_path / "node.pem"
    certificate.write_text(ca.certificate)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate)
    stub._server.socket = secure.wrap_socket(stub._server.socket, server_side=True)
    url = stub.url.replace("http:", "https:")
    assert NodeClient(Address(url, ca_certificate=ca.public)).status()["name"] == "stub"
    assert NodeClient(Address(url, verify_tls=False)).status()["name"] == "stub"
    for wrong in (Address(url), Address(url, ca_certificate=other.public)):
        with pytest.raises(NodeError, match=r"the TLS certificate of .* is not trusted"):
            NodeClient(wrong).status()
    with pytest.raises(NodeError, match="paste it as PEM"):
        NodeClient(Address(url, ca_certificate="no PEM")).status()


class Certificate(NamedTuple):
    """A certificate of 127.0.0.1 that signs itself: with its key, and alone."""

    certificate: str
    public: str


def authority() -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(Encoding.PEM).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Certificate(public + private, public)
