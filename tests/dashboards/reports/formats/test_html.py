"""One HTML file that opens without network."""

from __future__ import annotations

import json
import re

from django.test import Client
from playwright.sync_api import Page

from dashboards.models import Dashboard, Panel
from tests.browser import Visit
from tests.dashboards.drawn import validated
from tests.dashboards.traffic import END, START, Traffic

URL = f"/d/monitor/export/?format=html&monitor=web&from={START}&to={END}"


def exported(client: Client) -> str:
    answer = client.get(URL)
    assert answer["Content-Type"].startswith("text/html")
    assert answer["Content-Disposition"].endswith('.html"')
    return answer.content.decode()


def test_it_needs_nothing_from_elsewhere(viewer: Client, traffic: Traffic) -> None:
    html = exported(viewer)
    outside = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"<(link|img|iframe|script[^>]*src)", outside)
    assert "url(" not in outside
    assert "http" not in re.sub(r'<script type="application/json".*?</script>', "", outside, flags=re.DOTALL)


def test_it_holds_every_figure_and_table(viewer: Client, traffic: Traffic) -> None:
    html = exported(viewer)
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', html, re.DOTALL)[1])  # type: ignore[index]
    drawn = Dashboard.objects.get(slug="monitor").panels.filter(kind__in=("timeseries", "bar"))
    assert len(figures) >= 5
    assert set(figures) <= {f"panel-{panel.pk}" for panel in drawn}
    for figure in figures.values():
        validated(figure)
    assert "10.0.0.8" in html
    assert "2026-01-01 10:10 to 10:20" in html


def test_it_opens_and_draws_in_a_browser(
    viewer: Client, traffic: Traffic, page: Page, visit: Visit, tmp_path: object
) -> None:
    file = tmp_path / "report.html"  # type: ignore[operator]
    file.write_text(exported(viewer))
    page.goto(file.as_uri())
    page.wait_for_selector(".js-plotly-plot .scatterlayer .trace")
    assert visit.errors == []


def test_it_escapes_what_comes_from_outside(viewer: Client, traffic: Traffic) -> None:
    traffic.web.name = "</script><script>alert(1)</script>"
    traffic.web.save()
    made = Dashboard.objects.create(title="<b>Evil</b>")
    query = {"monitors": ["web"], "by": ["monitor"], "metrics": [{"key": "throughput", "stat": "rate"}]}
    Panel.objects.create(dashboard=made, title="<i>x</i>", query=query)
    html = viewer.get(f"/d/{made.slug}/export/?format=html&from={START}&to={END}").content.decode()
    assert "alert(1)</script>" not in html
    assert "<b>Evil" not in html
    assert "<i>x" not in html
