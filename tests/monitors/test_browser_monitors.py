"""The form of a monitor in a real browser: the preview follows the typing, filters are saved, kinds change the form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import Page, expect

from monitors.models import Monitor, Node, SavedFilter
from tests.browser import Visit
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live() -> Iterator[StubNode]:
    """A node that has seen two conversations in each of the last minutes."""
    with StubNode("live") as node:
        now = int(time.time())
        for t in range(now - 200, now + 60):
            node.add(t, client="10.0.0.1", port=443)
            node.add(t, client="10.0.0.2", port=443)
        yield node


@pytest.fixture
def console(live_server: Any, page: Page, live: StubNode) -> Page:
    user = User.objects.create_user("olivia")
    user.groups.add(Group.objects.get(name="operator"))
    client = Client()
    client.force_login(user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([cookie])
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    page.base = live_server.url  # type: ignore[attr-defined]
    Node.objects.create(name="live", url=live.url)
    return page


@pytest.mark.parametrize("address", ["/monitors/new/", "/admin/monitors/monitor/add/"])
def test_the_preview_follows_the_typing(console: Page, live: StubNode, visit: Visit, address: str) -> None:
    console.goto(f"{console.base}{address}")  # type: ignore[attr-defined]
    box = console.locator("[data-monitor-preview]")
    expect(box).to_contain_text("Matches now: 2 conversations on 1 node")
    console.locator("[name=filter]").press_sequentially("prt 443", delay=20)
    expect(box.locator("mark")).to_have_text("prt")
    expect(box).to_contain_text("is 'port' meant?")
    asked = len(live.calls)
    console.locator("[name=filter]").fill("port 80")
    expect(box).to_contain_text("Nothing matches now")
    console.locator("[name=filter]").fill("port 443")
    expect(box).to_contain_text("10.0.0.1 → 10.0.1.1:443 TCP")
    assert len(live.calls) - asked <= 3
    assert visit.errors == []


def test_it_makes_a_monitor_by_its_name_alone(console: Page, visit: Visit) -> None:
    console.goto(f"{console.base}/monitors/new/")  # type: ignore[attr-defined]
    console.locator("[name=name]").fill("Shop")
    console.get_by_role("button", name="Make monitor").click()
    expect(console.locator("body")).to_contain_text("Shop is made")
    monitor = Monitor.objects.get()
    assert (monitor.keys, monitor.steps) == (
        ["client_ip", "server_ip", "server_port", "protocol"],
        [60, 600, 3600, 86400],
    )
    assert [target.node.name for target in monitor.targets.select_related("node")] == ["live"]


def test_filters_are_saved_and_chosen(console: Page, visit: Visit) -> None:
    SavedFilter.objects.create(name="Web", filter="port 443")
    console.goto(f"{console.base}/monitors/new/")  # type: ignore[attr-defined]
    console.locator("[data-saved-filters]").select_option(label="Web")
    expect(console.locator("[name=filter]")).to_have_value("port 443")
    console.locator("[name=filter]").fill("udp port 53")
    console.get_by_text("Save this filter as").click()
    console.locator("[data-filter-name]").fill("Web")
    console.get_by_role("button", name="Save", exact=True).click()
    expect(console.locator("[data-filter-said]")).to_contain_text("already exists")
    console.locator("[data-filter-name]").fill("DNS")
    console.locator("[data-filter-name]").press("Enter")
    expect(console.locator("[data-filter-said]")).to_have_text("Saved as DNS.")
    assert SavedFilter.objects.get(name="DNS").filter == "udp port 53"
    expect(console.locator("[data-saved-filters] option")).to_have_count(3)


def test_a_kind_shows_what_it_has(console: Page, visit: Visit) -> None:
    console.goto(f"{console.base}/monitors/new/")  # type: ignore[attr-defined]
    console.locator("[name=name]").fill("Nodes")
    console.locator("input[name=kind][value=capture_health]").check()
    expect(console.locator("[name=filter]")).to_be_hidden()
    expect(console.locator("input[name=keys][value=client_ip]")).to_be_hidden()
    expect(console.locator("input[name=keys][value=source]")).to_be_checked()
    console.locator("input[name=keys][value=thread]").uncheck()
    console.get_by_role("button", name="Make monitor").click()
    expect(console.locator("body")).to_contain_text("Nodes is made")
    assert Monitor.objects.get().keys == ["source", "reason", "node"]
