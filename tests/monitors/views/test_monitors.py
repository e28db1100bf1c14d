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


def test_it_narrows_the_list(monitor: Monitor) -> None:
    Monitor.objects.create(name="DNS of the branch", tags=["core", "dns"], description="asked for by Olivia")
    client = visitor("viewer")

    def names(query: str) -> list[str]:
        page = client.get(f"/monitors/?{query}").content.decode()
        return [name for name in ("web", "DNS of the branch") if f">{name}</a>" in page]

    assert names("") == ["web", "DNS of the branch"]
    assert names("q=branch+olivia") == ["DNS of the branch"]
    assert names("q=stub") == ["web"]
    assert names("tag=core") == ["DNS of the branch"]
    assert names("state=unknown") == ["web", "DNS of the branch"]
    assert names("state=trouble") == []
    assert "No monitor fits" in client.get("/monitors/?tag=none").content.decode()


def test_it_says_what_a_monitor_costs(stub: StubNode, monitor: Monitor) -> None:
    for t in range(NOW - 600, NOW, 10):
        stub.add(t)
    pull()
    page = visitor("viewer").get(f"/monitors/{monitor.pk}/").content.decode()
    assert "12 rows a minute" in page
    assert "in steps of 10 s" in page


def test_a_long_list_shows_the_worst(db: None) -> None:
    Monitor.objects.bulk_create(Monitor(name=f"m{n:03}", slug=f"m{n}", enabled=n > 4) for n in range(205))
    page = visitor("viewer").get("/monitors/").content.decode()
    assert "5 more monitors" in page
    assert ">m004</a>" not in page
    assert "5 more" not in visitor("operator").get("/monitors/?q=m00").content.decode()
