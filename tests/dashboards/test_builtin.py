"""The built-in dashboards are data that a migration loads."""

from __future__ import annotations

import json

import pytest
from django.apps import apps

from dashboards.builtin.load import files, load
from dashboards.models import Dashboard
from dashboards.panels.panel import PANELS
from dashboards.queries.spec import QuerySpec


@pytest.mark.django_db
def test_it_loads_them_with_the_migrations() -> None:
    found = Dashboard.objects.filter(builtin=True)
    assert {dashboard.slug for dashboard in found} == {path.stem for path in files()}
    assert {path.stem for path in files()} == {
        "overview",
        "monitor",
        "capture-health",
        "service",
        "location",
        "point",
        "protocol",
    }


@pytest.mark.django_db
def test_it_may_load_them_again_and_keeps_their_ids() -> None:
    before = {dashboard.slug: (dashboard.pk, dashboard.panels.count()) for dashboard in Dashboard.objects.all()}
    load(apps)
    assert {item.slug: (item.pk, item.panels.count()) for item in Dashboard.objects.all()} == before


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_its_panels_are_questions_that_can_be_asked(path: object) -> None:
    for panel in json.loads(path.read_text())["panels"]:  # type: ignore[attr-defined]
        query = panel["query"]
        spec = QuerySpec.from_json(query | {"by": [key for key in query.get("by", []) if key != "$keys"]})
        assert spec.metrics
        kind = PANELS[panel["kind"]]
        assert set(panel.get("config", {})) <= set(kind.ConfigForm().fields)


def test_it_shows_on_overview_what_an_operator_looks_for_first() -> None:
    (tiles,) = (
        panel
        for path in files()
        for panel in json.loads(path.read_text())["panels"]
        if path.stem == "overview" and panel["kind"] == "tiles"
    )
    assert [metric["key"] for metric in tiles["query"]["metrics"]] == [
        "throughput",
        "network_latency",
        "server_latency",
        "retransmission_percent",
        "failure_percent",
        "new_connections",
        "visibility",
    ]
