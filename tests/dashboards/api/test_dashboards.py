"""Dashboards over the API: what a script needs to ask the same questions as a page."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from dashboards.models import Dashboard

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer() -> Client:
    user = get_user_model().objects.create_user("victor", password="a long password")
    user.groups.add(Group.objects.get(name="viewer"))
    client = Client()
    client.force_login(user)
    return client


def test_it_lists_the_builtin_dashboards_with_their_panels(viewer: Client) -> None:
    found = {row["slug"]: row for row in viewer.get("/api/v1/dashboards/").json()}
    assert {"overview", "monitor"} <= set(found)
    assert found["overview"]["builtin"] is True
    assert all(panel["kind"] and isinstance(panel["query"], dict) for panel in found["monitor"]["panels"])


def test_it_finds_one_by_its_slug(viewer: Client) -> None:
    Dashboard.objects.create(title="Night shift").panels.create(title="Latency", query={"monitors": ["$monitor"]})
    answer = viewer.get("/api/v1/dashboards/night-shift/")
    assert (answer.json()["title"], answer.json()["panels"][0]["title"]) == ("Night shift", "Latency")
    assert viewer.get("/api/v1/dashboards/day-shift/").status_code == 404


def test_it_asks_a_constant_number_of_queries(viewer: Client, django_assert_max_num_queries) -> None:
    for number in range(5):
        Dashboard.objects.create(title=f"Board {number}").panels.create(title="Latency")
    with django_assert_max_num_queries(8):
        viewer.get("/api/v1/dashboards/")


def test_it_is_read_only(viewer: Client) -> None:
    assert viewer.post("/api/v1/dashboards/", {}, content_type="application/json").status_code in (403, 405)
