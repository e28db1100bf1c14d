"""The pages of monitors: state in plain words, and who may act."""

from __future__ import annotations

import pytest

from monitors.models import Monitor, Pull
from tests.monitors.cast import visitor
from tests.monitors.clock import NOW, pull
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def test_it_lists_monitors_with_their_state(stub: StubNode, monitor: Monitor) -> None:
    stub.stop()
    pull()
    page = visitor("viewer").get("/monitors/").content.decode()
    assert "connection refused by" in page
    assert "web" in page
    assert "New monitor" not in page
    stub.start()


def test_it_shows_the_pulls_of_a_monitor(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    pull()
    page = visitor("operator").get(f"/monitors/{monitor.pk}/").content.decode()
    assert "All that the node has" in page
    assert "2025-10-09 09:58:20" in page
    assert "Pull now" in page


def test_it_polls_only_the_rows(stub: StubNode, monitor: Monitor) -> None:
    page = visitor("viewer").get("/monitors/", headers={"HX-Request": "true"}).content.decode()
    assert page.strip().startswith("<tr>")


def test_it_pulls_now(stub: StubNode, monitor: Monitor) -> None:
    pull()
    assert Pull.objects.get().next_run.timestamp() > NOW
    client = visitor("operator")
    assert client.get(f"/monitors/{monitor.pk}/pull/").status_code == 405
    assert client.post(f"/monitors/{monitor.pk}/pull/").status_code == 302
    assert visitor("viewer").post(f"/monitors/{monitor.pk}/pull/").status_code == 403


def test_it_says_that_there_is_no_monitor_yet(db: None) -> None:
    assert "There is no monitor yet" in visitor("viewer").get("/monitors/").content.decode()
