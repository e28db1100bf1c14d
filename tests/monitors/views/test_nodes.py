"""The pages of nodes: health in plain words, and the test of the connection."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from monitors.models import Node
from tests.monitors.authority import Authority, speak_tls
from tests.monitors.cast import visitor
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def test_it_lists_nodes(node: Node) -> None:
    page = visitor("viewer").get("/nodes/").content.decode()
    assert node.url in page
    assert "Not asked yet" in page


def test_it_tests_the_connection(stub: StubNode, node: Node) -> None:
    client = visitor("operator")
    page = client.post(f"/nodes/{node.pk}/test/", follow=True).content.decode()
    assert "stub answers." in page
    stub.token = "secret"
    page = client.post(f"/nodes/{node.pk}/test/", follow=True).content.decode()
    assert "refused our token (401): send a bearer token" in page


def test_it_shows_what_the_node_says_of_itself(stub: StubNode, node: Node) -> None:
    stub.status = {
        "mode": "capture",
        "kept_from": 1_760_000_000,
        "sources": [{"name": "mirror", "packets": 12_345, "bits_per_s": 2_900_000, "drops": {"kernel": 7}}],
        "drops": {"ring full": 3},
        "disk": {"used": {"packets": {"bytes": 2_000_000}}, "free_bytes": 5_000_000},
    }
    client = visitor("operator")
    client.post(f"/nodes/{node.pk}/test/")
    page = client.get(f"/nodes/{node.pk}/").content.decode()
    texts = ("capturing", "2025-10-09 08:53:20", "ring full", "1.9\xa0MB of packets")
    for text in (*texts, "mirror", "12,345", "2.9", "kernel 7"):
        assert text in page


def test_it_shows_drops_lag_and_alarms_in_the_list(stub: StubNode, node: Node) -> None:
    stub.status = {
        "mode": "capture",
        "behind": True,
        "alarms": [{"key": "behind", "severity": "warning", "text": "the analysis is 42 s behind"}],
        "sources": [{"name": "mirror", "packets_per_s": 1234, "bits_per_s": 9_900_000, "ring_fill": 0.871}],
        "drops": {"kernel": 4321},
        "capture": {"table": {"occupancy": 0.5}, "drops_per_s": {"kernel": 17}},
    }
    client = visitor("operator")
    client.post(f"/nodes/{node.pk}/test/")
    page = client.get("/nodes/").content.decode()
    for text in (
        "the analysis is 42 s behind",
        "9.9 Mbit/s",
        "4,321, 17/s now",
        "87.1\u202f%",
        "50.0\u202f%",
        "is-bad",
    ):
        assert text in page
    page = client.get(f"/nodes/{node.pk}/").content.decode()
    assert "the analysis is 42 s behind" in page and "87.1%" in page


def test_it_shows_version_disk_clock_and_breaker(stub: StubNode, node: Node) -> None:
    stub.status = {
        "version": "1.9.2",
        "disk": {"free_bytes": 10_000_000_000, "total_bytes": 100_000_000_000},
        "oldest_packet": 1_760_000_000.5,
        "now": time.time() - 3 * 3600,
    }
    Node.objects.create(name="newer", url="http://127.0.0.1:9", status={"version": "1.10.0"})
    client = visitor("operator")
    client.post(f"/nodes/{node.pk}/test/")
    Node.objects.filter(pk=node.pk).update(failures=3, error="no", url="https://127.0.0.1:9", verify_tls=False)
    for path in ("/nodes/", f"/nodes/{node.pk}/", "/admin/monitors/node/"):
        page = client.get(path).content.decode()
        for text in ("1.9.2", "older than 1.10.0", "90 % of", "is-amber", "3 h behind", "next try"):
            assert text in page, (path, text)
    for path in ("/nodes/", f"/nodes/{node.pk}/"):
        page = client.get(path).content.decode()
        assert "certificate not verified" in page and "2025-10-09 08:53:20" in page


def test_it_shows_when_a_certificate_ends(stub: StubNode, node: Node, tmp_path: Path) -> None:
    authority = Authority()
    url = speak_tls(stub, authority.issue("127.0.0.1", days=5), tmp_path)
    Node.objects.update(url=url, ca_certificate=authority.pem)
    client = visitor("operator")
    client.post(f"/nodes/{node.pk}/test/")
    page = client.get(f"/nodes/{node.pk}/").content.decode()
    assert "valid for 5 d" in page and "CN=Test authority" in page
    assert "Its TLS certificate expires in 5 d" in page


def test_it_shows_the_steps_of_a_test_in_place(stub: StubNode, node: Node) -> None:
    client = visitor("operator")
    page = client.post(f"/nodes/{node.pk}/test/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page and "Connection" in page and "cStor stub" in page


def test_it_tries_what_a_form_has_before_it_is_saved(stub: StubNode, node: Node) -> None:
    client = visitor("operator")
    stub.token = "t"
    said = {"url": f"{stub.url}/api/v1/", "new_token": "t", "verify_tls": "on"}
    assert "accepted" in client.post("/nodes/try/", said).content.decode()
    assert "refused our token" in client.post("/nodes/try/", said | {"new_token": ""}).content.decode()
    Node.objects.update(token="t")
    assert "accepted" in client.post("/nodes/try/", said | {"new_token": "", "pk": node.pk}).content.decode()
    Node.objects.update(url="http://127.0.0.1:9")
    page = client.post("/nodes/try/", said | {"new_token": "", "pk": node.pk}).content.decode()
    assert "address before" in page and "accepted" not in page, "the stored token goes nowhere else"
    for wrong in ("http://127.0.0.1:x", "http://[::1", "http://evil.test\\@127.0.0.1:9"):
        page = client.post("/nodes/try/", said | {"url": wrong, "new_token": "", "pk": node.pk}).content.decode()
        assert "http://HOST:PORT" in page and "address before" in page
    page = client.post("/nodes/try/", {"url": "x", "ca_certificate": "nonsense"}).content.decode()
    assert "http://HOST:PORT" in page and "no PEM certificate" in page
    assert Node.objects.get().status == {}, "nothing is kept"


def test_it_knows_the_address_of_a_load_balancer(stub: StubNode, node: Node) -> None:
    client = visitor("operator")
    for name in ("a", "b"):
        stub.name = name
        client.post(f"/nodes/{node.pk}/test/")
    assert "Answers as b and before as a" in client.get("/nodes/").content.decode()
    client.post(f"/nodes/{node.pk}/test/")
    assert "before as a" not in client.get("/nodes/").content.decode(), "a node may be renamed"


@pytest.mark.parametrize(
    "status", [{"disk": [1]}, {"disk": {"used": 3}, "drops": 7}, {"sources": {"a": 1}, "version": []}]
)
def test_it_lives_with_a_status_that_makes_no_sense(node: Node, status: dict[str, Any]) -> None:
    Node.objects.update(status=status)
    client = visitor("operator")
    for path in ("/nodes/", f"/nodes/{node.pk}/", "/admin/monitors/node/"):
        assert client.get(path).status_code == 200


def test_it_never_shows_a_token(node: Node) -> None:
    Node.objects.update(token="very-secret")
    admin = visitor("admin")
    for address in ("/nodes/", f"/nodes/{node.pk}/", f"/admin/monitors/node/{node.pk}/change/"):
        page = admin.get(address)
        assert page.status_code == 200
        assert "very-secret" not in page.content.decode()
