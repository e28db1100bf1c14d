"""A real browser for tests: the system's Chromium through Playwright, which may talk to this machine only.

Foreign requests are stopped and remembered; the `page` fixture fails a test in which one was attempted.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, sync_playwright

LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1"}

# Chromium itself asks its maker's servers for updates and lists: not on a closed network.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]


@dataclass
class Visit:
    """What a page did besides showing itself."""

    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise RuntimeError("no Chromium: `make test` installs it as root, otherwise `sudo apt-get install chromium`")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Playwright's own event loop runs in this thread; Django would take every query in it for one in async code.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit() -> Visit:
    return Visit()


@pytest.fixture
def context(browser: Browser, visit: Visit) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})

    def guard(route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in LOOPBACK:
            visit.foreign.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    context.route("**/*", guard)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, visit: Visit) -> Iterator[Page]:
    """A page whose test fails when it asked for anything from another machine."""
    page = context.new_page()

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            visit.errors.append(f"{message.text} ({message.location.get('url', '')})")

    page.on("console", listen)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    yield page
    assert visit.foreign == []


def chromium_version() -> str:
    return subprocess.run([chromium(), "--version"], capture_output=True, text=True, check=True).stdout.strip()
