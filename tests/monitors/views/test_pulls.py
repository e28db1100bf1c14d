"""The live page of pulls, and the button that pulls history again."""

from __future__ import annotations

import time

import pytest

from monitors.intervals import length
from monitors.models import Monitor, Node, Pull
from tests.monitors.cast import visitor
from tests.monitors.clock import NOW, pull
from tests.monitors.pulls.test_status import moment
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def test_it_says_that_nothing_is_pulled_yet(db: None) -> None:
    assert "Nothing is pulled yet" in visitor("viewer").get("/pulls/").content.decode()


def test_it_shows_each_monitor_on_each_node(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    pull()
    page = visitor("viewer").get("/pulls/").content.decode()
    assert "All that the node has" in page
    assert "Roll-ups waiting" in page
    assert 'hx-trigger="every 3s"' in page
    assert "100&#8239;%" in page


def test_it_polls_the_list_only(stub: StubNode, monitor: Monitor) -> None:
    pull()
    page = visitor("viewer").get("/pulls/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page
    assert monitor.name in page


def test_it_says_since_when_a_breaker_is_open_and_when_it_tries_next(monitor: Monitor) -> None:
    now = time.time()
    seen = {"last_seen": moment(now - 300), "retry_at": moment(now + 20), "failures": 4, "error": "connection refused"}
    Node.objects.update(**seen, skew_ms=7300)
    Pull.objects.create(monitor=monitor, node=Node.objects.get(), next_run=moment(now), error="refused", failures=3)
    page = visitor("viewer").get("/pulls/").content.decode()
    assert "open for 5 min, next try in 20 s" in page or "open for 5 min, next try in 19 s" in page
    assert "7 s ahead" in page
    assert "in 20 s" in page or "in 19 s" in page


def test_it_filters_and_leaves_out_what_makes_no_sense(stub: StubNode, monitor: Monitor) -> None:
    pull()
    client = visitor("viewer")
    assert "No pull fits" in client.get("/pulls/?q=nobody").content.decode()
    for query in ("?state=sad&node=x&page=0", "?page=99", "?monitor=1e9&node=-1", "?page=%F0%9F%98%80"):
        answer = client.get(f"/pulls/{query}")
        assert answer.status_code == 200
        assert monitor.name in answer.content.decode()


def test_it_turns_pages(node: Node, django_assert_max_num_queries: object) -> None:
    monitors = Monitor.objects.bulk_create(Monitor(name=f"m{n:03}", slug=f"m{n}") for n in range(120))
    node.monitors.set(monitors)
    Pull.objects.bulk_create(Pull(monitor=m, node=node, next_run=moment(time.time())) for m in monitors)
    client = visitor("viewer")
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        page = client.get("/pulls/?page=3").content.decode()
    assert "101 to 120 of 120" in page
    assert "m119" in page
    assert "?page=2" in page
    assert "Further" not in page


def test_it_pulls_history_again(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 600)
    pull()
    client = visitor("operator")
    answer = client.post(f"/monitors/{monitor.pk}/again/", {"from": str(NOW - 300), "to": ""}, follow=True)
    assert "5 min of history of web are being pulled again" in answer.content.decode()
    assert length(Pull.objects.get().stale) == 300
    client.post(f"/monitors/{monitor.pk}/again/", {"keep": "yes"})
    assert Pull.objects.get().stale == ()
    for wrong, words in (
        ({"from": "yesterday"}, "is no time: write it as"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "has to be before"),
        ({"from": "1e300"}, "not between 1970"),
        ({"from": "2030-01-01"}, "has nothing there"),
    ):
        assert words in client.post(f"/monitors/{monitor.pk}/again/", wrong, follow=True).content.decode()
    assert visitor("viewer").post(f"/monitors/{monitor.pk}/again/").status_code == 403
