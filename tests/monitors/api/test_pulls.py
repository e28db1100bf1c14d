"""`/api/v1/pulls/`: what the page shows, for programs."""

from __future__ import annotations

import pytest

from monitors.intervals import length
from monitors.models import Monitor, Pull
from tests.monitors.cast import visitor
from tests.monitors.clock import NOW, pull
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def test_it_lists_and_adds_up(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    pull()
    client = visitor("viewer")
    (row,) = client.get("/api/v1/pulls/?limit=5").json()["results"]
    assert (row["monitor"], row["state"], row["words"], row["error"]) == (monitor.pk, "ok", "All that the node has", "")
    assert client.get("/api/v1/pulls/?state=down").json() == {"count": 0, "results": []}
    assert client.get("/api/v1/pulls/totals/").json()["pulls"] == 1


def test_it_refuses_what_makes_no_sense(db: None) -> None:
    client = visitor("viewer")
    for query in ("state=sad", "node=x", "limit=-1", "offset=1e9"):
        assert client.get(f"/api/v1/pulls/?{query}").status_code == 400


def test_it_pulls_again(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 600)
    pull()
    client, url, json = visitor("operator"), "/api/v1/pulls/again/", "application/json"
    body = {"monitors": [monitor.pk], "from": "2025-10-09T09:55:00Z"}
    assert client.post(url, body, json).json() == {"seconds": 300}
    assert length(Pull.objects.get().stale) == 300
    assert client.post(url, {"monitors": [monitor.pk], "keep": True}, json).json() == {"seconds": 0}
    assert Pull.objects.get().stale == ()
    for wrong in ({}, {"monitors": []}, {"monitors": [0]}, {"monitors": [monitor.pk], "from": "noon"}):
        assert client.post(url, wrong, json).status_code == 400
    assert visitor("viewer").post(url, body, json).status_code == 403
