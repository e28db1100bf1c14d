"""Exports as files."""

from __future__ import annotations

import pytest
from django.test import Client

from dashboards.reports.formats.format import FORMATS
from tests.dashboards.traffic import END, START, Traffic


@pytest.mark.parametrize("key", FORMATS.keys())
@pytest.mark.parametrize("slug", ["overview", "monitor"])
def test_it_gives_every_format_of_every_built_in_dashboard(
    viewer: Client, traffic: Traffic, key: str, slug: str
) -> None:
    answer = viewer.get(f"/d/{slug}/export/?format={key}&from={START}&to={END}")
    assert answer.status_code == 200
    assert len(answer.content) > 1000
    assert answer["Content-Disposition"].startswith(f'attachment; filename="cclear-{slug}-')


@pytest.mark.parametrize("query", ["", "format=docx", "format=csv&from=soon", "format=csv&from=now&to=now-1h"])
def test_it_says_what_cannot_be_exported(viewer: Client, traffic: Traffic, query: str) -> None:
    answer = viewer.get(f"/d/overview/export/?{query}")
    assert answer.status_code == 400
    assert len(answer.content.decode()) > 10


def test_it_works_without_any_monitor(viewer: Client) -> None:
    for key in FORMATS:
        assert viewer.get(f"/d/monitor/export/?format={key}").status_code == 200
