"""Nodes in a real browser: the test of a connection from the form, and the banner of a page that stays open."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import BrowserContext, Page, expect

from monitors.models import Node
from monitors.nodes import alarm, health
from tests.browser import Visit
from tests.monitors.cast import visitor
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db(transaction=True)

# What the banner does by itself every 15 seconds.
POLL = (
    """() => htmx.ajax("GET", "/nodes/alarms/", {target: "#node-alarms", swap: "outerHTML", select: "#node-alarms"})"""
)


@pytest.fixture
def go(page: Page, context: BrowserContext, live_server: Any) -> Callable[[str], None]:
    cookie = visitor("operator").cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    return lambda path: page.goto(live_server.url + path) and None


def test_it_tests_what_the_form_has(go: Callable[[str], None], page: Page, visit: Visit, stub: StubNode) -> None:
    stub.token = "t"
    go("/admin/monitors/node/add/")
    page.fill("#id_name", "new")
    page.fill("#id_url", stub.url)
    page.click("text=Test connection")
    expect(page.locator("#node-steps")).to_contain_text("refused our token (401)")
    page.fill("#id_new_token", "t")
    page.click("text=Test connection")
    expect(page.locator("#node-steps .dot.is-green")).to_have_count(4)
    assert not Node.objects.exists() and visit.errors == []


def test_it_tests_a_node_on_its_page(go: Callable[[str], None], page: Page, visit: Visit, node: Node) -> None:
    go(f"/nodes/{node.pk}/")
    page.click("text=Test connection")
    expect(page.locator("#node-test")).to_contain_text("cStor stub, calls itself stub")
    assert visit.errors == []


@pytest.mark.parametrize("path", ["/nodes/", "/admin/"])
def test_an_open_page_follows_the_alarm(
    go: Callable[[str], None], page: Page, visit: Visit, node: Node, path: str
) -> None:
    go(path)
    expect(page.locator("#node-alarms .alarm")).to_have_count(0)
    for _ in range(health.BREAKER_FAILURES):
        health.failed(node.pk, "connection refused", time.time())
    alarm.forget()
    page.evaluate(POLL)
    expect(page.locator("#node-alarms .alarm")).to_contain_text("A node is down: stub")
    assert page.locator("#node-alarms").get_attribute("hx-trigger") == "every 15s"
    Node.objects.update(failures=0, error="")
    alarm.forget()
    page.evaluate(POLL)
    expect(page.locator("#node-alarms .alarm")).to_have_count(0)
    assert visit.errors == []
