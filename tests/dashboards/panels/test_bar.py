"""Bars of the groups that rank first."""

from __future__ import annotations

import numpy as np

from dashboards.panels.bar import shortened
from dashboards.panels.panel import PANELS
from dashboards.panels.theme import OTHER
from tests.dashboards.drawn import array, validated
from tests.dashboards.frames import frame_of, series_of

KIND = PANELS["bar"]
A = {"client_ip": "10.0.0.1", "server_ip": "10.0.1.2", "server_port": 443, "protocol": 6}


def frame() -> object:
    return frame_of(
        series_of([2e6, 4e6], "throughput", "rate", A),
        series_of([1e6, 1e6], "throughput", "rate", {"server_port": 53, "protocol": 17}),
        series_of([9e6, 9e6], "throughput", "rate", {"other": True}),
        filters={str(A): "client host 10.0.0.1"},
    )


def test_it_draws_one_bar_per_group_in_the_order_of_the_frame() -> None:
    drawing = KIND.draw(frame(), {"other": True})
    (trace,) = drawing.figure["data"]
    assert trace["y"] == ["10.0.0.1 → 10.0.1.2:443", "port 53 · UDP", "Other"]
    assert array(trace["x"]).tolist() == [3, 1, 9]
    assert trace["text"] == ["3 Mbit/s", "1 Mbit/s", "9 Mbit/s"]
    assert trace["marker"]["color"][-1] == OTHER
    assert drawing.figure["layout"]["xaxis"]["title"]["text"] == "Throughput (Mbit/s)"
    validated(drawing.figure)


def test_it_leaves_out_other_unless_asked() -> None:
    assert len(KIND.draw(frame(), {}).figure["data"][0]["y"]) == 2


def test_it_leads_each_bar_to_its_packets() -> None:
    (trace,) = KIND.draw(frame(), {}).figure["data"]
    assert trace["meta"]["filters"] == ["client host 10.0.0.1", ""]


def test_it_draws_nothing_for_groups_without_a_value() -> None:
    drawing = KIND.draw(frame_of(series_of([np.nan], keys=A)), {})
    assert drawing.figure["data"] == []
    validated(drawing.figure)


def test_it_shortens_long_names_in_the_middle() -> None:
    name = "2001:db8:1111:2222:3333:4444:5555:6666 → [2001:db8::1]:443"
    assert len(shortened(name)) <= 44
    assert shortened(name).startswith("2001:db8:1111")
    assert shortened(name).endswith("[2001:db8::1]:443")
