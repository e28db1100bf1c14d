"""Pages that show dashboards, for each role."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboards.models import Dashboard
from tests.dashboards.traffic import Traffic

PAGES = [
    "/",
    "/d/",
    "/d/overview/",
    "/d/monitor/",
    "/d/monitor/?monitor=web",
    "/metrics-explained/",
    "/welcome/",
    "/welcome/steps/",
]


@pytest.mark.parametrize("path", PAGES)
def test_it_shows_viewers_every_page(viewer: Client, traffic: Traffic, path: str) -> None:
    assert viewer.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_it_sends_visitors_to_the_login_and_refuses_strangers(client: Client, stranger: User, path: str) -> None:
    assert client.get(path).url.startswith("/accounts/login/")
    client.force_login(stranger)
    answer = client.get(path)
    assert answer.status_code == 403
    assert "This needs the permission" in answer.content.decode()


def test_it_starts_with_the_first_steps_while_there_is_no_monitor(viewer: Client) -> None:
    assert viewer.get("/").url == "/welcome/"


def test_it_puts_every_panel_of_overview_and_monitor_on_the_page(viewer: Client, traffic: Traffic) -> None:
    for slug in ("overview", "monitor"):
        html = viewer.get(f"/d/{slug}/").content.decode()
        panels = Dashboard.objects.get(slug=slug).panels.all()
        assert len(panels) >= 5
        for panel in panels:
            assert f'data-figure="/d/{slug}/panels/{panel.pk}/figure/"' in html


def test_it_names_the_monitor_and_offers_the_others(viewer: Client, traffic: Traffic) -> None:
    html = viewer.get("/d/monitor/?monitor=web").content.decode()
    assert "<title>Monitor: Web" in html
    assert '<option value="web" selected>Web</option>' in html
    assert "tcp port 443" in html


def test_it_offers_editing_to_operators_only(operator: Client, victor: User, traffic: Traffic) -> None:
    assert "Make my own copy" in operator.get("/d/overview/").content.decode()
    other = Client()
    other.force_login(victor)
    assert "Make my own copy" not in other.get("/d/overview/").content.decode()


def test_it_says_what_is_wrong_with_a_range_and_still_shows_the_page(viewer: Client, traffic: Traffic) -> None:
    answer = viewer.get("/d/overview/?from=2026-01-02&to=2026-01-01")
    assert answer.status_code == 200
    assert "ends before it begins" in answer.content.decode()


def test_it_has_no_inline_script_handler_nor_foreign_address(viewer: Client, traffic: Traffic) -> None:
    for path in PAGES:
        html = viewer.get(path).content.decode()
        assert not re.search(r"\son\w+=", html)
        assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))", html)
        assert not re.search(r"(src|href)=\"(https?:)?//", html)


def test_it_asks_the_database_a_bounded_number_of_times(
    viewer: Client, traffic: Traffic, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        viewer.get("/d/monitor/?monitor=web")


def test_it_answers_404_for_a_dashboard_that_is_not_there(viewer: Client) -> None:
    answer = viewer.get("/d/nothing/")
    assert answer.status_code == 404
    assert "Nothing here" in answer.content.decode()


def test_it_explains_every_metric(viewer: Client) -> None:
    from cstor.metrics.registry import METRICS

    html = viewer.get("/metrics-explained/").content.decode()
    assert all(f'id="{key}"' in html for key in METRICS)
