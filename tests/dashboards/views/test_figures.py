"""Figures of panels as the page asks for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client

from dashboards.models import Dashboard, Panel
from monitors.models import Pull
from tests.dashboards.drawn import array, by_name, validated
from tests.dashboards.traffic import END, START, Traffic


def figure_of(client: Client, slug: str, title: str, **params: str) -> Any:
    panel = Panel.objects.get(dashboard__slug=slug, title=title)
    words = {"from": str(START), "to": str(END), "zone": "UTC", "monitor": "web"} | params
    return client.get(f"/d/{slug}/panels/{panel.pk}/figure/", words)


@pytest.mark.parametrize("slug", ["overview", "monitor"])
def test_it_draws_every_built_in_panel(viewer: Client, traffic: Traffic, slug: str) -> None:
    for panel in Dashboard.objects.get(slug=slug).panels.all():
        answer = figure_of(viewer, slug, panel.title).json()
        assert "problem" not in answer, answer
        if "figure" in answer:
            validated(answer["figure"])
        else:
            assert answer.get("html") or answer.get("empty")


def test_it_draws_true_percentiles(viewer: Client, traffic: Traffic) -> None:
    figure = figure_of(viewer, "monitor", "Server latency", step="600").json()["figure"]
    for stat, percent in (("p50", 50), ("p95", 95), ("p99", 99)):
        expected = np.percentile(traffic.all_ns(), percent, method="lower") / 1e6
        value = array(by_name(figure)[stat]["y"])[0]
        in_ms = value if figure["layout"]["yaxis"]["title"]["text"].endswith("(ms)") else value * 1000
        assert in_ms == pytest.approx(expected, rel=0.0101)


def test_it_answers_304_until_something_changes(viewer: Client, traffic: Traffic) -> None:
    first = figure_of(viewer, "monitor", "Throughput")
    panel = Panel.objects.get(dashboard__slug="monitor", title="Throughput")
    url = f"/d/monitor/panels/{panel.pk}/figure/"
    words = {"from": str(START), "to": str(END), "zone": "UTC", "monitor": "web"}
    again = viewer.get(url, words, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = viewer.get(url, words | {"step": "60"}, headers={"If-None-Match": first["ETag"]})
    assert other.status_code == 200
    Pull.objects.filter(monitor=traffic.web).update(covered=((START, END + 10),))
    assert viewer.get(url, words, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_it_answers_a_problem_in_words(viewer: Client, traffic: Traffic) -> None:
    answer = figure_of(viewer, "monitor", "Throughput", filter="vni 7").json()
    assert answer["field"] == "filter"
    assert "does not keep vni" in answer["problem"]
    assert "there is no monitor" in figure_of(viewer, "monitor", "Throughput", monitor="gone").json()["problem"]


def test_it_says_where_the_data_is(viewer: Client, traffic: Traffic) -> None:
    answer = figure_of(viewer, "monitor", "Server latency", **{"from": "2012-03-04", "to": "2012-03-05"}).json()
    assert answer["empty"]["text"] == "Data from 2026-01-01 10:10 to 10:20."
    assert answer["empty"]["kept"] == [START, END]


def test_it_puts_the_visibility_beside_error_counts(viewer: Client, traffic: Traffic) -> None:
    assert figure_of(viewer, "monitor", "Loss and failures").json()["notes"]["show_visibility"] is True
    assert figure_of(viewer, "monitor", "Server latency").json()["notes"]["show_visibility"] is False


def test_it_tells_how_far_the_data_goes(viewer: Client, traffic: Traffic) -> None:
    notes = figure_of(viewer, "monitor", "Throughput").json()["notes"]
    assert notes["complete_until"] == END
    assert notes["step"] == "10 s"


def test_it_asks_the_database_a_bounded_number_of_times(
    viewer: Client, traffic: Traffic, django_assert_max_num_queries: Any
) -> None:
    for title, most in (("Throughput", 26), ("Top conversations", 36)):
        with django_assert_max_num_queries(most):
            figure_of(viewer, "monitor", title)
