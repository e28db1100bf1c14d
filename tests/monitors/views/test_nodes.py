"""The pages of nodes: health in plain words, and the test of the connection."""

from __future__ import annotations

import pytest

from monitors.models import Node
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


def test_it_never_shows_a_token(node: Node) -> None:
    Node.objects.update(token="very-secret")
    admin = visitor("admin")
    for address in ("/nodes/", f"/nodes/{node.pk}/", f"/admin/monitors/node/{node.pk}/change/"):
        page = admin.get(address)
        assert page.status_code == 200
        assert "very-secret" not in page.content.decode()
