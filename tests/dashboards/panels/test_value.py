"""Single values."""

from __future__ import annotations

from dashboards.panels.panel import PANELS
from tests.dashboards.frames import frame_of, series_of

KIND = PANELS["value"]


def test_it_shows_number_unit_level_and_trend() -> None:
    html = KIND.draw(frame_of(series_of([0.4, 0.5], "server_latency", "p95")), {"trend": True}).html
    assert 'class="value-number">450<i>ms</i>' in html
    assert 'class="value is-red"' in html
    assert "spark-line" in html


def test_it_is_grey_below_twenty_samples() -> None:
    html = KIND.draw(frame_of(series_of([0.4, 0.5], "server_latency", "p95", samples=19)), {}).html
    assert 'class="value is-grey"' in html


def test_it_compares() -> None:
    past = series_of([0.2, 0.2], "server_latency", "p95", compared="1d")
    html = KIND.draw(frame_of(series_of([0.3, 0.3], "server_latency", "p95"), past), {}).html
    assert "+50 % against 1 day earlier" in html
    assert html.count("value-number") == 1


def test_it_shows_a_dash_for_what_was_not_measurable() -> None:
    assert 'class="value-number">–<i></i>' in KIND.draw(frame_of(series_of([float("nan")])), {}).html
