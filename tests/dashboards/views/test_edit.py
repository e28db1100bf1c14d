"""Making dashboards and changing them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from dashboards.models import Dashboard, Panel
from tests.dashboards.traffic import END, START, Traffic

PANEL = {
    "title": "Latency by server",
    "kind": "timeseries",
    "metrics": ["server_latency:p95", "server_latency:p50"],
    "monitors": ["web"],
    "by": ["server_ip"],
    "top_n": "5",
    "top_metric": "server_latency:p95",
    "width": "12",
    "height": "0",
    "timeseries-style": "area",
}


@pytest.fixture
def own(olivia: Any) -> Dashboard:
    made = Dashboard.objects.create(title="War room", owner=olivia)
    for number, title in enumerate(("one", "two", "three")):
        Panel.objects.create(dashboard=made, position=number, title=title, query={"metrics": [{"key": "bytes"}]})
    return made


def titles(dashboard: Dashboard) -> list[str]:
    return list(dashboard.panels.values_list("title", flat=True))


def test_it_makes_a_dashboard_and_asks_for_its_first_panel(operator: Client, olivia: Any) -> None:
    answer = operator.post("/d/new/", {"title": "Check out", "default_start": "now-6h", "refresh_s": "30"})
    made = Dashboard.objects.get(title="Check out")
    assert answer.url == "/d/check-out/panels/add/"
    assert (made.slug, made.owner, made.default_start, made.refresh_s) == ("check-out", olivia, "now-6h", 30)


def test_it_gives_each_dashboard_a_slug_of_its_own(operator: Client) -> None:
    slugs = [Dashboard.objects.create(title=title).slug for title in ("New", "Overview", "Same", "Same", "日本")]
    assert slugs == ["new-2", "overview-2", "same", "same-2", "dashboard"]


def test_it_adds_a_panel_that_draws(operator: Client, own: Dashboard, traffic: Traffic) -> None:
    assert operator.post(f"/d/{own.slug}/panels/add/", PANEL).url == f"/d/{own.slug}/"
    panel = own.panels.get(title="Latency by server")
    assert panel.position == 3
    assert panel.query["metrics"][0] == {"key": "server_latency", "stat": "p95"}
    assert panel.query["top"] == {"n": 5, "metric": "server_latency", "stat": "p95"}
    assert panel.config["style"] == "area"
    words = {"from": str(START), "to": str(END)}
    assert "figure" in operator.get(f"/d/{own.slug}/panels/{panel.pk}/figure/", words).json()


def test_it_edits_a_panel_with_its_values_filled_in(operator: Client, own: Dashboard, traffic: Traffic) -> None:
    operator.post(f"/d/{own.slug}/panels/add/", PANEL)
    panel = own.panels.get(title="Latency by server")
    html = operator.get(f"/d/{own.slug}/panels/{panel.pk}/edit/").content.decode()
    assert '<option value="server_latency:p50" selected>' in html
    assert 'value="server_ip" checked' in html
    operator.post(f"/d/{own.slug}/panels/{panel.pk}/edit/", PANEL | {"title": "Renamed", "kind": "table"})
    panel.refresh_from_db()
    assert (panel.title, panel.kind, own.panels.count()) == ("Renamed", "table", 4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": ""}, "This field is required"),
        ({"metrics": []}, "at least one metric"),
        ({"metrics": ["speed:p95"]}, "There is no metric"),
        ({"filter": "prot 443"}, "column 1"),
        ({"kind": "pie"}, "Select a valid choice"),
        ({"top_n": "0"}, "greater than or equal to 1"),
        ({"by": ["colour"]}, "Select a valid choice"),
    ],
)
def test_it_says_what_is_wrong_with_a_panel(
    operator: Client, own: Dashboard, traffic: Traffic, changes: dict[str, Any], words: str
) -> None:
    answer = operator.post(f"/d/{own.slug}/panels/add/", PANEL | changes)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert own.panels.count() == 3


def test_it_previews_without_saving(operator: Client, own: Dashboard, traffic: Traffic) -> None:
    url = f"/d/{own.slug}/panels/preview/?from={START}&to={END}"
    assert "figure" in operator.post(url, PANEL).json()
    assert "metrics" in operator.post(url, PANEL | {"metrics": []}).json()["problem"]
    assert own.panels.count() == 3


@pytest.mark.parametrize(
    ("title", "to", "order"),
    [
        ("three", "up", ["one", "three", "two"]),
        ("one", "down", ["two", "one", "three"]),
        ("one", "up", ["one", "two", "three"]),
        ("three", "first", ["three", "one", "two"]),
        ("one", "last", ["two", "three", "one"]),
    ],
)
def test_it_moves_panels(operator: Client, own: Dashboard, title: str, to: str, order: list[str]) -> None:
    panel = own.panels.get(title=title)
    operator.post(f"/d/{own.slug}/panels/{panel.pk}/move/", {"to": to})
    assert titles(own) == order


def test_it_changes_a_width_and_removes_a_panel(operator: Client, own: Dashboard) -> None:
    panel = own.panels.get(title="two")
    operator.post(f"/d/{own.slug}/panels/{panel.pk}/move/", {"width": "12"})
    panel.refresh_from_db()
    assert (panel.width, titles(own)) == (12, ["one", "two", "three"])
    operator.post(f"/d/{own.slug}/panels/{panel.pk}/remove/")
    assert titles(own) == ["one", "three"]


def test_it_edits_and_deletes_a_dashboard(operator: Client, own: Dashboard) -> None:
    operator.post(f"/d/{own.slug}/edit/", {"title": "Renamed", "default_start": "now-1h", "refresh_s": "10"})
    own.refresh_from_db()
    assert (own.title, own.slug) == ("Renamed", "war-room")
    operator.post(f"/d/{own.slug}/delete/")
    assert not Dashboard.objects.filter(pk=own.pk).exists()


def test_it_copies_a_built_in_one_and_leaves_it_alone(operator: Client, traffic: Traffic) -> None:
    answer = operator.post("/d/monitor/copy/")
    assert answer.url == "/d/monitor-copy/edit/"
    made, source = Dashboard.objects.get(slug="monitor-copy"), Dashboard.objects.get(slug="monitor")
    assert titles(made) == titles(source)
    assert not made.builtin
    for path in ("/d/monitor/edit/", "/d/monitor/panels/add/"):
        assert operator.get(path).status_code == 403
    assert operator.post("/d/monitor/delete/").status_code == 403


def test_it_shows_the_pages_of_editing(operator: Client, own: Dashboard, traffic: Traffic) -> None:
    for path in ("/d/new/", f"/d/{own.slug}/edit/", f"/d/{own.slug}/panels/add/", f"/d/{own.slug}/"):
        assert operator.get(path).status_code == 200


def test_it_is_for_operators_only(viewer: Client, own: Dashboard) -> None:
    panel = own.panels.first()
    assert panel is not None
    for path in ("/d/new/", f"/d/{own.slug}/edit/", f"/d/{own.slug}/panels/add/"):
        assert viewer.get(path).status_code == 403
        assert viewer.post(path, PANEL).status_code == 403
    for path in ("copy/", "delete/", f"panels/{panel.pk}/move/", f"panels/{panel.pk}/remove/", "panels/preview/"):
        assert viewer.post(f"/d/{own.slug}/{path}").status_code == 403
    assert titles(own) == ["one", "two", "three"]


def test_it_reaches_panels_only_through_their_own_dashboard(operator: Client, own: Dashboard) -> None:
    foreign = Dashboard.objects.get(slug="monitor").panels.first()
    assert foreign is not None
    assert operator.post(f"/d/{own.slug}/panels/{foreign.pk}/remove/").status_code == 404
    assert operator.get(f"/d/{own.slug}/panels/{foreign.pk}/figure/").status_code == 404
