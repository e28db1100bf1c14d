"""The whole chain in a real browser: what the lab did is what the dashboard shows, and no page asks another machine.

The chain is started as `make run` starts it; the tests follow one visit, from the login to Ctrl-C, in this order.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin, urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from lab.truth import window
from monitors.nodes.client import NodeClient
from tests.browser import Visit
from tests.chain import Chain

LIVE_WITHIN_S = 60
OUTAGE_S = 15
WINDOW_S = 20
SETTLED_S = 5
TOLERANCE = 0.10
TIER = {"monitor": "web-tier", "truth": "web"}


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    chain = Chain()
    try:
        chain.start()
        yield chain
    finally:
        chain.remove()


@pytest.fixture(scope="module")
def cookies(chain: Chain, browser: Browser) -> list[Any]:
    """The session of the first user, who logs in once."""
    page = browser.new_page()
    _log_in(page, chain)
    cookies = page.context.cookies()
    page.close()
    return cookies


@pytest.fixture
def visitor(page: Page, cookies: list[Any]) -> Page:
    """A page of the first user."""
    page.context.add_cookies(cookies)
    return page


def _log_in(page: Page, chain: Chain) -> None:
    page.goto(f"{chain.url}/accounts/login/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", chain.password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


def _query(page: Page, chain: Chain, **spec: Any) -> dict[str, Any]:
    """A Frame, asked as the pages ask: with the session's cookie and its CSRF token."""
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": chain.url}
    answer = page.request.post(f"{chain.url}/api/v1/query", data=spec, headers=headers)
    assert answer.ok, answer.text()
    frame: dict[str, Any] = answer.json()
    return frame


def _latest(frame: dict[str, Any], metric: str, stat: str) -> float | None:
    for series in frame["series"]:
        if (series["metric"], series["stat"]) == (metric, stat):
            values = [value for value in series["values"] if value is not None]
            return values[-1] if values else None
    return None


def test_it_shows_live_timing_within_a_minute(chain: Chain, visitor: Page) -> None:
    start = time.monotonic()
    metrics = [{"key": "network_latency", "stat": "p95"}, {"key": "throughput", "stat": "rate"}]

    def live() -> bool:
        frame = _query(visitor, chain, monitors=["all-traffic"], metrics=metrics, range={"from": "now-5m", "to": "now"})
        return all(_latest(frame, metric["key"], metric["stat"]) is not None for metric in metrics)

    chain.wait_for(live, LIVE_WITHIN_S, "live timing and throughput")
    assert time.monotonic() - start < LIVE_WITHIN_S


def test_it_shows_the_health_of_the_capture_without_any_hand_work(chain: Chain, visitor: Page) -> None:
    span = {"from": "now-5m", "to": "now"}

    def received() -> set[str]:
        metrics = [{"key": "node_packets", "stat": "rate"}]
        frame = _query(visitor, chain, metrics=metrics, by=["node", "source"], range=span)
        return {series["keys"]["node"] for series in frame["series"] if any(series["values"])}

    def bursts() -> set[Any]:
        metrics = [{"key": "points_link_burst_bytes", "stat": "value"}]
        frame = _query(visitor, chain, metrics=metrics, by=["vni"], range=span)
        return {series["keys"]["vni"] for series in frame["series"] if any(series["values"])}

    chain.wait_for(lambda: received() == {"cstor-a", "cstor-b"} and len(bursts()) > 1, 150, "the nodes' own counters")
    visitor.goto(f"{chain.url}/d/capture-health/?from=now-5m&to=now")
    panel = visitor.locator('section[aria-label="Packets in"]')
    expect(panel.locator(".scatterlayer .trace").first).to_be_attached()


# Ends the session, or answers with a file.
_NOT_PAGES = re.compile(r"/(logout|export)/|\.(pcap|zip|csv)$|/api/schema/$")


def _links(page: Page, chain: Chain) -> list[str]:
    hrefs = page.eval_on_selector_all(
        "a[href]:not([download])", "links => links.map(link => link.getAttribute('href'))"
    )
    urls = (urljoin(page.url, href).partition("#")[0] for href in hrefs if not href.startswith(("mailto:", "#")))
    return [url for url in urls if url.startswith(chain.url) and not _NOT_PAGES.search(urlsplit(url).path)]


def _pattern(url: str) -> str:
    """Pages of one kind: the same path but for numbers."""
    return re.sub(r"\d+", "N", urlsplit(url).path)


def _static_pages() -> list[str]:
    """Paths of the URL map that need nothing filled in."""
    from tests.test_urls_access import ROUTES

    paths = [route.path for route in ROUTES if "<" not in route.pattern and not hasattr(route.view, "cls")]
    return [path for path in paths if not _NOT_PAGES.search(path)]


def test_it_loads_every_page_from_this_machine_only(chain: Chain, visitor: Page, visit: Visit) -> None:
    todo = [chain.url + path for path in ("/", "/admin/", *_static_pages())]
    seen: dict[str, int] = {}
    while todo:
        url = todo.pop(0)
        if _pattern(url) in seen:
            continue
        asked = visitor.request.get(url)
        if asked.status in (204, 405):  # nothing to show, or only to be posted to
            seen[_pattern(url)] = asked.status
            continue
        answer = visitor.goto(url, wait_until="load")
        assert answer is not None
        seen[_pattern(url)] = answer.status
        todo += _links(visitor, chain)
    failed = {path: status for path, status in seen.items() if status >= 400 and status != 405}
    assert failed == {}
    assert visit.errors == []
    assert visit.foreign == []
    assert len(seen) >= 20


def _closed_window(chain: Chain) -> tuple[int, int] | None:
    """The newest whole window that lab and console both have."""
    # Connections that began before the nodes captured are known to the lab alone.
    first = -(-int(chain.up_at + SETTLED_S) // WINDOW_S) * WINDOW_S
    last = max((part["to"] for part in chain.truth()["slices"]), default=0) // WINDOW_S * WINDOW_S
    return (last - WINDOW_S, last) if last - WINDOW_S >= first else None


@pytest.mark.parametrize(
    ("metric", "timing", "stat"),
    [
        ("network_latency", "handshake_rtt", "p50"),
        ("network_latency", "handshake_rtt", "p95"),
        ("server_latency", "response_time", "p50"),
        ("server_latency", "response_time", "p95"),
    ],
)
def test_it_finds_the_labs_times_in_the_dashboards_numbers(
    chain: Chain, visitor: Page, metric: str, timing: str, stat: str
) -> None:
    start, end = chain.wait_for(lambda: _closed_window(chain), 4 * WINDOW_S, "a whole window of the lab's truth")
    tiers = window(chain.truth(), start, end)["tiers"]
    truth = next(tier for tier in tiers if tier["name"] == TIER["truth"])[timing]
    question = {
        "monitors": [TIER["monitor"]],
        "metrics": [{"key": metric, "stat": stat}],
        "range": {"from": start, "to": end},
        "step": WINDOW_S,
    }

    def complete() -> dict[str, Any] | None:
        frame = _query(visitor, chain, **question)
        return frame if (frame["complete_until"] or 0) >= end else None

    frame = chain.wait_for(complete, 30, "the window to be pulled")
    (series,) = frame["series"]
    assert series["n"] == [pytest.approx(truth["n"], rel=0.02)]
    assert series["values"] == [pytest.approx(truth[stat], rel=TOLERANCE)]


# Every point of every figure on the page, as Plotly drew it.
_FIGURES = """() => Array.from(document.querySelectorAll('.js-plotly-plot')).map(plot => ({
  axis: (plot._fullLayout.yaxis && plot._fullLayout.yaxis.title.text) || '',
  traces: plot._fullData.map(trace => ({name: trace.name, y: Array.from(trace.y || []).map(Number)})),
}))"""


def test_it_draws_them_in_the_figure(chain: Chain, visitor: Page) -> None:
    document = chain.truth()
    truth = next(tier for tier in document["tiers"] if tier["name"] == TIER["truth"])["handshake_rtt"]
    visitor.goto(f"{chain.url}/d/monitor/?monitor={TIER['monitor']}&from=now-5m&to=now")
    visitor.wait_for_selector(".js-plotly-plot")
    figures = chain.wait_for(lambda: _drawn(visitor), 30, "figures with points")
    points = [value for figure in figures for trace in figure["traces"] for value in trace["y"]]
    # Seconds, or milliseconds where the axis says so.
    near = [value for value in points if any(abs(value / (truth["p50"] * unit) - 1) < 0.25 for unit in (1, 1000))]
    assert near, f"no figure shows a value near {truth['p50'] * 1000:.2f} ms"
    assert all(figure["axis"] for figure in figures if figure["traces"] and figure["traces"][0]["y"])


def _drawn(page: Page) -> list[dict[str, Any]]:
    figures: list[dict[str, Any]] = page.evaluate(_FIGURES)
    return figures if sum(len(trace["y"]) for figure in figures for trace in figure["traces"]) > 10 else []


def test_it_keeps_everything_running(chain: Chain) -> None:
    died = [line for line in chain.lines if " died" in line or "does not start" in line]
    assert died == []


def _node(chain: Chain, letter: str) -> NodeClient:
    token = (chain.data / "secrets" / f"cstor-{letter}.token").read_text().strip()
    url = f"http://127.0.0.1:{chain.environment[f'CSTOR_{letter.upper()}_API_PORT']}"
    return NodeClient(SimpleNamespace(name=f"cstor-{letter}", url=url, token=token, verify_tls=True))


def _both_sides(chain: Chain, page: Page, letter: str, start: int, end: int) -> tuple[list[Any], dict[int, int], Any]:
    """Packets of each second: what the console has of this node, what the node itself says; and the Frame."""
    metrics, span = [{"key": "packets", "stat": "sum"}], {"from": start, "to": end}
    question = {"monitors": ["all-traffic"], "nodes": [f"cstor-{letter}"], "metrics": metrics, "range": span, "step": 1}

    def complete() -> Any:
        frame = _query(page, chain, **question)
        return frame if (frame["complete_until"] or 0) >= end else None

    frame = chain.wait_for(complete, 60, f"what cstor-{letter} had until {end}")
    query = {"id": 1, "by": [], "metrics": ["packets"], "from": start, "to": end, "step": 1}
    (answer,) = _node(chain, letter).series([query])
    columns = answer["columns"]
    told: dict[int, int] = dict.fromkeys(range(start, end), 0)
    for side in ("packets_client", "packets_server"):
        for t, value in zip(columns["t"], columns[side] or [], strict=True):
            told[t] += value or 0
    return frame["series"][0]["values"], told, frame


def _processes_of(chain: Chain, *words: str) -> list[psutil.Process]:
    return [
        found for found in chain.processes() if all(any(word in part for part in found.cmdline()) for word in words)
    ]


def test_it_loses_and_doubles_nothing_while_a_node_does_not_answer(chain: Chain, visitor: Page) -> None:
    start = int(time.time()) - 5
    api = _processes_of(chain, "serve", "cstor-a")
    assert api
    for process in api:
        process.suspend()
    time.sleep(OUTAGE_S)
    for process in api:
        process.resume()
    values, told, frame = _both_sides(chain, visitor, "a", start, start + OUTAGE_S + 10)
    assert values == list(told.values())
    assert min(values) > 0, "capture went on"
    assert frame["gaps"] == []


def test_it_shows_a_gap_and_no_zero_where_a_node_was_dead(chain: Chain, visitor: Page) -> None:
    start = int(time.time()) - 5
    for process in _processes_of(chain, "cstor-b"):
        process.kill()
    chain.wait_for(lambda: any("cstor-b is back" in line for line in chain.lines), 60, "cstor-b to be back")
    values, told, frame = _both_sides(chain, visitor, "b", start, int(time.time()) + 5)
    ((gap_start, gap_end, reason),) = frame["gaps"]
    assert (reason, gap_end - gap_start >= 2) == ("cstor-b was not capturing", True)
    alive = [t for t in told if not gap_start <= t < gap_end]
    assert [value for t, value in zip(told, values, strict=True) if t not in alive] == [None] * (len(told) - len(alive))
    assert [value for t, value in zip(told, values, strict=True) if t in alive] == [told[t] for t in alive]


def test_it_ends_every_process_with_ctrl_c(chain: Chain) -> None:
    assert chain.interrupt() == 0
    assert [" ".join(process.cmdline()) for process in chain.processes()] == []


def test_it_goes_on_with_the_old_data(chain: Chain, page: Page) -> None:
    chain.start()
    assert not any(chain.password in line for line in chain.lines)
    _log_in(page, chain)
    spec = {"metrics": [{"key": "bytes", "stat": "sum"}], "range": {"from": "now-15m", "to": "now"}, "step": 10}
    values = _query(page, chain, monitors=["all-traffic"], **spec)["series"][0]["values"]
    assert sum(value or 0 for value in values) > 0
