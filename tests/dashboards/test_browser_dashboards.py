"""Dashboards in a real browser: figures appear, times change, nothing is asked from elsewhere, no errors."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from tests.browser import Visit
from tests.dashboards.samples import Samples, cover
from tests.dashboards.traffic import END, START, Traffic, edit_keys, make_traffic

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not (settings.BASE_DIR / "static/vendor/plotly-cartesian.min.js").exists(), reason="npm run build was not run"
    ),
]
RANGE = f"from={START}&to={END}&zone=UTC"


@pytest.fixture
def console(live_server: Any, page: Page) -> Page:
    from django.contrib.auth.models import Group, User

    user = User.objects.create_user("olivia", password="olivia")
    user.groups.add(Group.objects.get(name="operator"))
    client = Client()
    client.force_login(user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([cookie])
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    page.base = live_server.url  # type: ignore[attr-defined]
    return page


@pytest.fixture
def traffic(transactional_db: None) -> Traffic:
    return make_traffic()


def test_it_draws_the_monitor_dashboard(console: Page, traffic: Traffic, visit: Visit) -> None:
    console.goto(f"{console.base}/d/monitor/?monitor=web&{RANGE}")  # type: ignore[attr-defined]
    panel = console.locator('section[aria-label="Server latency"]')
    expect(panel.locator(".scatterlayer .trace")).to_have_count(3)
    expect(panel.locator(".ytitle")).to_have_text("Server latency (ms)")
    expect(console.locator('section[aria-label="At a glance"] .value')).to_have_count(7)
    expect(console.locator("[data-fresh]")).to_contain_text("Data until")
    console.locator("[data-theme-toggle]").click()
    expect(console.locator("html")).to_have_attribute("data-bs-theme", "dark")
    assert visit.errors == []


def test_it_draws_the_health_of_the_capture(console: Page, traffic: Traffic, visit: Visit) -> None:
    from monitors.builtin import add_node_monitors
    from monitors.models import Monitor

    add_node_monitors()
    health = Monitor.objects.get(kind="capture_health")
    samples = Samples(health)
    for node in traffic.nodes:
        for t in range(START, START + 300, 10):
            keys = {"source": "mirror", "thread": "capture-0", "reason": None}
            samples.put(t, node, keys, {"node_packets": 5000, "node_ring_fill": 1250})
        cover(health, node, (START, START + 300))
    samples.write()
    console.goto(f"{console.base}/d/capture-health/?{RANGE}")  # type: ignore[attr-defined]
    received = console.locator('section[aria-label="Packets in"]')
    expect(received.locator(".scatterlayer .trace")).to_have_count(2)
    expect(received.locator(".legendtext").first).to_have_text("mirror · cstor-a")
    dropped = console.locator('section[aria-label="Drops by reason"]')
    expect(dropped.locator(".scatterlayer .trace")).to_have_count(2)
    assert visit.errors == []


def test_it_says_on_a_flag_what_changed(console: Page, traffic: Traffic, visit: Visit) -> None:
    edit_keys(traffic)
    console.goto(f"{console.base}/d/monitor/?monitor=web&from={START}&to={END + 40}&zone=UTC")  # type: ignore[attr-defined]
    panel = console.locator('section[aria-label="Throughput"]')
    expect(panel.locator(".annotation")).to_have_text("definition changed")
    panel.locator(".annotation").hover()
    expect(panel.locator(".hovertext")).to_contain_text("no longer grouped by")
    table = console.locator('section[aria-label="Top conversations"]')
    table.scroll_into_view_if_needed()
    expect(table).to_contain_text("10.0.0.1")
    assert visit.errors == []


def test_it_goes_to_where_the_data_is(console: Page, traffic: Traffic, visit: Visit) -> None:
    console.goto(f"{console.base}/d/monitor/?monitor=web&from=now-5m&zone=UTC")  # type: ignore[attr-defined]
    panel = console.locator('section[aria-label="Throughput"]')
    expect(panel.locator(".state-text")).to_have_text("Data from 2026-01-01 10:10 to 10:20.")
    panel.get_by_text("Go to this data").click()
    expect(panel.locator(".scatterlayer .trace").first).to_be_visible()
    expect(console.locator("[data-range-label]")).to_have_text("2026-01-01 10:10 – 10:20")
    assert "from=2026-01-01T10%3A10%3A00Z" in console.url
    assert visit.errors == []


def test_it_leads_from_a_point_to_its_packets(console: Page, traffic: Traffic, visit: Visit) -> None:
    console.goto(f"{console.base}/d/monitor/?monitor=web&{RANGE}")  # type: ignore[attr-defined]
    body = console.locator('section[aria-label="Server latency"] [data-body]')
    expect(body.locator(".scatterlayer .trace")).to_have_count(3)
    body.click(position={"x": 300, "y": 130})
    link = console.locator(".point-menu [data-do=packets]")
    expect(link).to_be_visible()
    href = str(link.get_attribute("href"))
    assert href.startswith("/packets/?from=2026-01-01T10%3A1")
    assert "filter=tcp+port+443" in href
    assert visit.errors == []


def test_it_chooses_a_range_and_keeps_it_in_the_address(console: Page, traffic: Traffic, visit: Visit) -> None:
    console.goto(f"{console.base}/d/overview/?{RANGE}")  # type: ignore[attr-defined]
    expect(console.locator(".tile")).to_have_count(2)
    console.locator("#range-button").click()
    console.locator("[data-quick=now-6h]").click()
    expect(console.locator("[data-range-label]")).to_have_text("Last 6 hours")
    assert "from=now-6h" in console.url
    console.go_back()
    expect(console.locator("[data-range-label]")).to_have_text("2026-01-01 10:10 – 10:20")
    assert visit.errors == []


def test_it_previews_and_adds_a_panel(console: Page, traffic: Traffic, visit: Visit) -> None:
    console.goto(f"{console.base}/d/new/")  # type: ignore[attr-defined]
    console.fill("[name=title]", "War room")
    console.get_by_role("button", name="Create and add a panel").click()
    console.fill("[name=title]", "Latency")
    console.locator("select[name=metrics]").first.select_option("server_latency:p95")
    console.locator("label", has_text="Web").locator("input[name=monitors]").check()
    expect(console.locator("#preview")).not_to_be_empty()
    console.get_by_role("button", name="Add panel").click()
    expect(console.locator('section[aria-label="Latency"]')).to_be_visible()
    assert visit.errors == []
