"""Pages and dashboards of labels in a real browser: overlaps open, an import is looked over, figures are by label."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from monitors.labels import resolve
from tests.browser import Visit
from tests.dashboards.traffic import END, START, make_traffic
from tests.monitors.labels.cast import location, service

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
    expect.set_options(timeout=20_000)
    page.base = live_server.url  # type: ignore[attr-defined]
    return page


def test_it_opens_overlaps_and_imports_after_a_look(console: Page, visit: Visit) -> None:
    service("Shop", ("10.2.0.0/16",))
    service("Till", ("10.2.3.0/24",))
    console.goto(f"{console.base}/labels/services/")  # type: ignore[attr-defined]
    console.locator("summary", has_text="shadowed in part").click()
    expect(console.locator("details[open]")).to_contain_text("Till wins 10.2.3.0/24")
    console.locator("a", has_text="Import").click()
    console.locator("textarea[name=text]").fill("name,network\nShop,10.2.0.0/15\n")
    console.locator("button", has_text="Look it over").click()
    expect(console.locator("table")).to_contain_text("+ 10.2.0.0/15, - 10.2.0.0/16")
    console.locator("button", has_text="Import: 1 changed").click()
    expect(console.locator(".alert")).to_contain_text("Imported: 1 changed")
    assert visit.errors == []


def test_it_draws_figures_by_label(console: Page, visit: Visit) -> None:
    traffic = make_traffic()
    service("Web", ("10.1.0.0/16", 6, 443))
    location("Here", "10.0.0.0/8")
    resolve.raise_revision()
    resolve.follow()
    for slug in ("service", "location"):
        console.goto(f"{console.base}/d/{slug}/?monitor={traffic.web.slug}&{RANGE}")  # type: ignore[attr-defined]
        expect(console.locator(".group-table tbody tr").first).to_be_visible()
        expect(console.locator(".is-loading")).to_have_count(0)
    assert visit.errors == []
