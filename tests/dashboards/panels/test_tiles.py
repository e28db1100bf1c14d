"""A tile per monitor."""

from __future__ import annotations

import re

from cstor.metrics.metric import Threshold
from dashboards.panels.panel import PANELS, Setting
from tests.dashboards.frames import frame_of, series_of

KIND = PANELS["tiles"]
NAMES = {"a": "Alpha", "b": "Beta", "c": "Gamma", "d": "Delta"}


def tile(slug: str, latency: float, samples: float = 100) -> list[object]:
    keys = {"monitor": slug}
    return [
        series_of([1e6, 1e6], "throughput", "rate", keys),
        series_of([latency] * 2, "server_latency", "p95", keys, samples=samples),
    ]


def test_it_puts_the_worst_first_and_counts() -> None:
    nothing = [series_of([float("nan")] * 2, "throughput", "rate", {"monitor": "d"}, samples=0)]
    frame = frame_of(*tile("a", 0.01), *tile("b", 0.5), *tile("c", 0.15), *nothing, names=NAMES)
    html = KIND.draw(frame, {}).html
    assert re.findall(r'tile-name">(\w+)', html) == ["Beta", "Gamma", "Alpha", "Delta"]
    assert re.findall(r'class="tile is-(\w+)', html) == ["red", "amber", "green", "grey"]
    assert "No data in this range" in html
    assert "1 critical" in html


def test_it_is_grey_while_too_few_samples_stand_behind_it() -> None:
    html = KIND.draw(frame_of(*tile("a", 0.5, samples=5), names=NAMES), {}).html
    assert re.findall(r'class="tile is-(\w+)', html) == ["grey"]


def test_it_judges_by_the_monitors_own_thresholds() -> None:
    series = series_of([0.5] * 2, "server_latency", "p95", {"monitor": "a"}, threshold=Threshold("p95", 1, 2))
    html = KIND.draw(frame_of(series, names=NAMES), {}).html
    assert re.findall(r'class="tile is-(\w+)', html) == ["green"]
    assert "Amber from 1 s, red from 2 s (the monitor&#x27;s own thresholds)." in html


def test_it_leads_to_the_monitor() -> None:
    html = KIND.draw(
        frame_of(*tile("a", 0.1), names=NAMES), {}, Setting(links={"monitor": "/d/monitor/?monitor="})
    ).html
    assert 'href="/d/monitor/?monitor=a"' in html


def test_it_says_so_when_there_is_no_monitor() -> None:
    assert "No monitor yet" in KIND.draw(frame_of(), {}).html
