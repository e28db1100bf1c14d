"""Certificates of nodes, over real TLS on loopback: who is trusted, for which name, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitors.nodes.client import NodeClient, NodeError
from tests.monitors.authority import Authority, speak_tls
from tests.monitors.stub_node import StubNode


@dataclass
class Address:
    url: str
    ca_certificate: str = ""
    tls_name: str = ""
    verify_tls: bool = True
    name: str = "n"
    token: str = ""


@pytest.fixture
def stub() -> Iterator[StubNode]:
    with StubNode() as node:
        yield node


def test_it_trusts_what_its_own_authority_signed(stub: StubNode, tmp_path: Path) -> None:
    authority = Authority()
    url = speak_tls(stub, authority.issue("127.0.0.1"), tmp_path)
    status = NodeClient(Address(url, authority.pem)).status()
    assert status["name"] == "stub"
    assert status["certificate"]["issuer"] == "CN=Test authority"
    two = Authority("another").pem + "\r\n" + authority.pem.replace("\n", "\r\n")
    assert NodeClient(Address(url, two)).status()["name"] == "stub", "a bundle, as Windows writes it"


def test_it_refuses_another_authority_and_says_what_to_do(stub: StubNode, tmp_path: Path) -> None:
    url = speak_tls(stub, Authority().issue("127.0.0.1"), tmp_path)
    with pytest.raises(NodeError, match="was not signed by the CA certificate in the form"):
        NodeClient(Address(url, Authority("wrong").pem)).status()
    with pytest.raises(NodeError, match="not from a public authority: paste the CA certificate"):
        NodeClient(Address(url)).status()


def test_it_refuses_a_certificate_of_another_name(stub: StubNode, tmp_path: Path) -> None:
    authority = Authority()
    url = speak_tls(stub, authority.issue("cstor.internal"), tmp_path)
    with pytest.raises(NodeError, match=r"it is not made out for 127\.0\.0\.1"):
        NodeClient(Address(url, authority.pem)).status()
    with pytest.raises(NodeError, match=r"it is not made out for other\.internal"):
        NodeClient(Address(url, authority.pem, "other.internal")).status()
    assert NodeClient(Address(url, authority.pem, "cstor.internal")).status()["name"] == "stub"


def test_it_keeps_connections_of_different_trust_apart(stub: StubNode, tmp_path: Path) -> None:
    """What one node's form allows must not let another's through, though host and port are the same."""
    authority = Authority()
    url = speak_tls(stub, authority.issue("cstor.internal"), tmp_path)
    assert NodeClient(Address(url, verify_tls=False)).status()["name"] == "stub"
    assert NodeClient(Address(url, authority.pem, "cstor.internal")).status()["name"] == "stub"
    for strict in (Address(url), Address(url, authority.pem), Address(url, Authority().pem, "cstor.internal")):
        with pytest.raises(NodeError, match="not trusted"):
            NodeClient(strict).status()


def test_it_refuses_what_has_expired(stub: StubNode, tmp_path: Path) -> None:
    authority = Authority()
    url = speak_tls(stub, authority.issue("127.0.0.1", days=-1), tmp_path)
    with pytest.raises(NodeError, match="it has expired"):
        NodeClient(Address(url, authority.pem)).status()
    assert NodeClient(Address(url, verify_tls=False)).status()["certificate"], "shown even where nobody verifies"


def test_it_knows_a_node_that_speaks_no_tls(stub: StubNode) -> None:
    with pytest.raises(NodeError, match=r"does not speak TLS: is its address http://"):
        NodeClient(Address(stub.url.replace("http:", "https:"))).status()


def test_it_does_not_verify_where_it_is_told_so(stub: StubNode, tmp_path: Path) -> None:
    url = speak_tls(stub, Authority().issue("elsewhere"), tmp_path)
    assert NodeClient(Address(url, verify_tls=False)).status()["name"] == "stub"
