"""The live page of pulls in a real browser: thousands of rows in pages, filters, and a list that follows."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import BrowserContext, Page, expect

from monitors.models import Monitor, Node, Pull
from tests.browser import Visit
from tests.monitors.cast import visitor
from tests.monitors.pulls.test_status import moment

pytestmark = pytest.mark.django_db(transaction=True)


def thousands() -> None:
    """1,000 monitors on 4 nodes: most are well, some behind, some fail, a node is down, another's clock is off."""
    now = time.time()
    second = int(now)
    known: dict[str, Any] = {"kept_from": second - 86_400, "complete_until": second - 2, "mode": "capture"}
    nodes = [
        Node(name=f"cstor-{letter}", url="http://n", status=known, last_seen=moment(now), skew_ms=4)
        for letter in "abcd"
    ]
    down = {"failures": 5, "retry_at": moment(now + 600), "last_seen": moment(now - 900)}
    vars(nodes[3]).update(down, error="connection refused by 10.0.0.4:8801: the node's API is not running there")
    nodes[2].skew_ms = 7300
    Node.objects.bulk_create(nodes)
    monitors = Monitor.objects.bulk_create(
        Monitor(name=f"Service {n:04}", slug=f"s{n}", resolution=10, interval_s=10) for n in range(1000)
    )
    for node in nodes:
        node.monitors.set(monitors)
    Pull.objects.bulk_create(_pull(n, monitor, node, now) for node in nodes for n, monitor in enumerate(monitors))


def _pull(n: int, monitor: Monitor, node: Node, now: float) -> Pull:
    second = int(now)
    fields: dict[str, Any] = {"covered": ((second - 86_400, second - 5 - n % 7),), "took_ms": 40 + n % 90}
    if node.failures:
        fields = {"error": node.error, "failures": 9, "covered": ((second - 86_400, second - 900),)}
    elif n % 100 == 1:
        fields = {"error": "the node refused: tcp[13] needs packets, series have none", "failures": 1 + n % 5}
    elif n % 50 == 2:
        fields["covered"] = ((second - 20_000, second - 5),)
    elif n % 50 == 3:
        fields["stale"] = ((second - 7200, second - 600),)
    ran = {"next_run": moment(now + 600 + n % 10), "last_run": moment(now - n % 10), "rows_per_s": 10.0 + n % 5}
    return Pull(monitor=monitor, node=node, **ran, **fields)


@pytest.fixture
def path(context: BrowserContext, live_server: Any) -> str:
    cookie = visitor("operator").cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    return f"{live_server.url}/pulls/"


def test_it_is_of_use_with_four_thousand_pulls(path: str, page: Page, visit: Visit) -> None:
    thousands()
    page.goto(path)
    expect(page.locator(".pager")).to_contain_text("1 to 50 of 4000")
    expect(page.locator(".pull-list")).to_contain_text("is not running there")
    expect(page.locator(".pull-list")).to_contain_text("7 s ahead")
    shots(page)
    page.click(".state-tabs >> text=Trouble")
    expect(page.locator(".state-tabs .is-chosen")).to_contain_text("Trouble")
    expect(page.locator(".pull-list")).to_contain_text("needs packets")
    page.click(".state-tabs >> text=Up to date")
    page.click("text=Further")
    expect(page.locator(".pager")).to_contain_text("51 to 100")
    assert visit.errors == []


def test_its_list_follows_by_itself(path: str, page: Page, visit: Visit) -> None:
    node = Node.objects.create(name="n", url="http://n", last_seen=moment(time.time()))
    monitor = Monitor.objects.create(name="Payroll")
    monitor.nodes.add(node)
    Pull.objects.create(monitor=monitor, node=node, next_run=moment(time.time() + 600))
    page.goto(path)
    expect(page.locator(".pull-list")).to_contain_text("Nothing pulled yet")
    Pull.objects.update(error="the node refused: no", failures=4)
    expect(page.locator(".pull-list")).to_contain_text("the node refused: no", timeout=15_000)
    assert visit.errors == []


def shots(page: Page) -> None:
    """Pictures for whoever looks at them, in the folder that $SHOTS names."""
    folder = os.environ.get("SHOTS")
    for width in (1440, 800) if folder else ():
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("scheme => document.documentElement.setAttribute('data-bs-theme', scheme)", scheme)
            page.screenshot(path=Path(str(folder)) / f"pulls-{width}-{scheme}.png")
