"""The friendly form of a monitor, its preview, and what one does with a single monitor."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from monitors import history
from monitors.models import Monitor, Node, NodeGroup, Pull, SavedFilter
from tests.monitors.cast import visitor
from tests.monitors.clock import NOW, pull
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


@pytest.fixture
def olivia(db: None) -> Client:
    return visitor("operator")


def form(**changes: Any) -> dict[str, Any]:
    fields = {
        "name": "Web",
        "kind": "network_health",
        "filter": "tcp port 443",
        "keys": ["server_ip", "client_ip"],
        "resolution": 10,
        "interval_s": 10,
        "top_n": 20,
        "steps": [60, 3600],
        "enabled": "on",
    }
    return fields | changes


def test_it_makes_a_monitor_and_opens_its_dashboard(olivia: Client, node: Node) -> None:
    group = NodeGroup.objects.get(is_all=True) if NodeGroup.objects.exists() else None
    page = olivia.get("/monitors/new/?filter=port+53&name=DNS").content.decode()
    assert "port 53" in page
    assert 'value="DNS"' in page
    group = group or NodeGroup.objects.get(is_all=True)
    assert f'name="groups" value="{group.pk}"' in page
    answer = olivia.post(
        "/monitors/new/",
        form(
            groups=[group.pk],
            tags="web, core ,web",
            **{"thresholds-network_latency-amber": "120", "thresholds-network_latency-red": "200,5"},
        ),
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, "/d/monitor/?monitor=web")
    monitor = Monitor.objects.get(name="Web")
    assert monitor.tags == ["web", "core"]
    assert monitor.steps == [60, 3600]
    assert monitor.thresholds == {"network_latency": [0.12, 0.2005]}
    assert monitor.created_by is not None
    (event,) = history.events(monitor)
    assert (event.who, event.way, event.what) == ("olivia", "form", "made")


def test_one_threshold_alone_is_enough(olivia: Client) -> None:
    olivia.post("/monitors/new/", form(**{"thresholds-network_latency-amber": "100"}))
    assert Monitor.objects.get().thresholds == {"network_latency": [0.1, 0.5]}
    page = olivia.get(f"/monitors/{Monitor.objects.get().pk}/edit/").content.decode()
    assert 'name="thresholds-network_latency-amber" value="100"' in page
    assert 'placeholder="250"' in page
    for amber, words in (("x", "is not a number of ms"), ("9999", "at most red")):
        answer = olivia.post("/monitors/new/", form(name="y", **{"thresholds-network_latency-amber": amber}))
        assert answer.status_code == 400
        assert words in answer.content.decode()


def test_it_edits_and_remembers_who_changed_what(olivia: Client, monitor: Monitor) -> None:
    page = olivia.post(f"/monitors/{monitor.pk}/edit/", form(name="web"), follow=True).content.decode()
    assert "revision 2" in page
    assert "Filter: nothing → tcp port 443" in page
    assert "Nodes: stub → nothing" in page
    assert "olivia" in page
    event = history.events(monitor)[0]
    assert "Top N groups: 5 → 20" in event.changes
    olivia.post(f"/monitors/{monitor.pk}/edit/", form(name="web"))
    assert len(history.events(monitor)) == 1, "nothing changed, nothing is written down"


def test_it_points_at_the_word_of_a_bad_filter(olivia: Client) -> None:
    answer = olivia.post("/monitors/new/", form(filter="tcp prot 443"))
    assert answer.status_code == 400
    assert "is &#x27;proto&#x27; meant? (column 5)" in answer.content.decode()


def test_the_preview_in_all_its_states(olivia: Client, stub: StubNode, node: Node) -> None:
    def shown(**changes: Any) -> str:
        return olivia.post("/monitors/preview/", form(name="", **changes)).content.decode()

    assert "Nobody is asked yet" in shown()
    assert "<mark>prot</mark>" in shown(filter="tcp prot 443")
    assert "Ensure this value" in shown(top_n=0)
    assert "Nothing matches now" in shown(nodes=[node.pk], filter="port 443")
    stub.add(NOW - 5)
    page = shown(nodes=[node.pk], filter="port 443")
    assert "Matches now: <b>1</b> conversation on 1 node" in page
    assert "10.0.0.1 → 10.0.1.1:443 TCP" in page
    assert "brings nothing new" in page
    down = Node.objects.create(name="down", url="http://127.0.0.1:1")
    page = shown(nodes=[node.pk, down.pk], filter="port 443")
    assert "1 of 2 answered" in page
    assert "connection refused" in page
    assert "No node answered" in shown(nodes=[down.pk])
    assert visitor("viewer").post("/monitors/preview/", form()).status_code == 403


def test_it_clones_switches_and_deletes(olivia: Client, stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    pull()
    answer = olivia.post(f"/monitors/{monitor.pk}/clone/", follow=True)
    copy = Monitor.objects.get(name="Copy of web")
    assert f'value="{copy.name}"' in answer.content.decode()
    assert (copy.enabled, list(copy.nodes.all()), copy.keys) == (False, list(monitor.nodes.all()), monitor.keys)
    olivia.post(f"/monitors/{monitor.pk}/switch/", {"enabled": "no"})
    monitor.refresh_from_db()
    assert not monitor.enabled
    assert history.events(monitor)[0].changes == ("Switched on: yes → no",)
    page = olivia.get(f"/monitors/{monitor.pk}/delete/").content.decode()
    assert "can no longer be seen" in page
    assert Monitor.objects.filter(pk=monitor.pk).exists()
    assert olivia.post(f"/monitors/{monitor.pk}/delete/").status_code == 302
    assert not Monitor.objects.filter(pk=monitor.pk).exists()
    assert not Pull.objects.filter(monitor_id=monitor.pk).exists()


def test_saved_filters_can_be_chosen(olivia: Client) -> None:
    SavedFilter.objects.create(name="The web", filter="port 443")
    assert '<option value="port 443"' in olivia.get("/monitors/new/").content.decode()


def test_viewers_do_not_edit(monitor: Monitor) -> None:
    victor = visitor("viewer")
    assert victor.get("/monitors/new/").status_code == 403
    assert victor.get(f"/monitors/{monitor.pk}/edit/").status_code == 403
    assert "Clone" not in victor.get(f"/monitors/{monitor.pk}/").content.decode()
