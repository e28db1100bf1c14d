"""Tables of groups."""

from __future__ import annotations

import numpy as np

from dashboards.panels.panel import PANELS, Setting
from tests.dashboards.frames import frame_of, series_of

KIND = PANELS["table"]
A = {"server_ip": "10.0.1.2", "protocol": 6}
LINKS = Setting(links={"filter": "/d/x/?filter=", "packets": "/packets/?filter="})


def frame() -> object:
    return frame_of(
        series_of([0.2], "server_latency", "p95", A),
        series_of([5.0], "retransmission_percent", "percent", A, samples=7),
        series_of([np.nan], "server_latency", "p95", {"server_ip": "10.0.1.3", "protocol": 17}),
        filters={str(A): "server host 10.0.1.2 and tcp"},
    )


def test_it_has_keys_then_metrics_with_units() -> None:
    html = KIND.draw(frame(), {}).html
    assert [f">{word}<" in html for word in ("Server", "Protocol", "Server latency p95", "Retransmissions")] == [
        True
    ] * 4
    assert "200 ms" in html
    assert "TCP" in html
    assert "UDP" in html


def test_it_colours_by_threshold_but_not_with_too_few_samples() -> None:
    html = KIND.draw(frame(), {}).html
    assert 'is-number is-amber" data-value="0.2"' in html
    assert 'is-number is-grey" data-value="5"' in html


def test_it_says_nothing_for_what_was_not_measurable() -> None:
    assert 'data-value=""' in KIND.draw(frame(), {}).html


def test_it_links_rows_on_pages_and_not_on_paper() -> None:
    assert "/packets/?filter=server%20host%2010.0.1.2%20and%20tcp" in KIND.draw(frame(), {}, LINKS).html
    assert "href" not in KIND.draw(frame(), {}).html


def test_it_escapes_what_comes_from_outside() -> None:
    evil = frame_of(series_of([1.0], keys={"monitor": "<script>"}), names={"<script>": "<script>alert(1)</script>"})
    assert "<script>" not in KIND.draw(evil, {}).html
