"""Lines over time: gaps break them, units scale them, Plotly accepts them."""

from __future__ import annotations

import numpy as np
import pytest

from cstor.metrics.metric import Threshold
from dashboards.panels.panel import PANELS
from dashboards.panels.timeseries import STYLES
from dashboards.queries.frame import Gap
from tests.dashboards.drawn import array, by_name, validated
from tests.dashboards.frames import START, frame_of, series_of

KIND = PANELS["timeseries"]
WAVE = [0.010, 0.020, np.nan, 0.040, 0.050]


@pytest.mark.parametrize("style", [style for style, _ in STYLES])
@pytest.mark.parametrize("log", [True, False])
def test_it_draws_what_plotly_accepts(style: str, log: bool) -> None:
    frame = frame_of(series_of(WAVE), series_of(WAVE, stat="p50"), gaps=(Gap(START + 20, START + 30, "b was off"),))
    validated(KIND.draw(frame, {"style": style, "log": log, "thresholds": True}).figure)


def test_it_breaks_the_line_in_a_gap_and_never_draws_0_there() -> None:
    figure = KIND.draw(frame_of(series_of(WAVE), gaps=(Gap(START + 20, START + 30, "b was off"),)), {}).figure
    (trace,) = figure["data"]
    assert np.isnan(array(trace["y"])[2])
    assert trace["connectgaps"] is False
    (band,) = figure["layout"]["shapes"]
    assert (band["x0"], band["x1"]) == ("2026-01-01 10:00:20", "2026-01-01 10:00:30")
    assert band["label"]["text"] == "b was off"


def test_it_writes_the_unit_on_the_axis_with_a_fitting_prefix() -> None:
    slow = KIND.draw(frame_of(series_of(WAVE)), {}).figure
    assert slow["layout"]["yaxis"]["title"]["text"] == "Response time (ms)"
    assert array(slow["data"][0]["y"])[0] == pytest.approx(10)
    fast = KIND.draw(frame_of(series_of([2.5e7, 5e6], "throughput", "rate")), {}).figure
    assert fast["layout"]["yaxis"]["title"]["text"] == "Throughput (Mbit/s)"
    assert fast["layout"]["xaxis"]["title"]["text"] == "time (UTC)"


def test_it_gives_two_units_two_axes() -> None:
    frame = frame_of(series_of(WAVE), series_of([1.0] * 5, "retransmission_percent", "percent"))
    figure = KIND.draw(frame, {}).figure
    assert figure["data"][1]["yaxis"] == "y2"
    assert figure["layout"]["yaxis2"]["side"] == "right"
    validated(figure)


def test_it_fills_an_area_only_where_it_was_measured() -> None:
    figure = KIND.draw(frame_of(series_of(WAVE)), {"style": "area"}).figure
    fills = [trace for trace in figure["data"] if trace.get("fill")]
    assert [len(array(trace["y"])) for trace in fills] == [2, 2]
    assert all(np.isfinite(array(trace["y"])).all() for trace in fills)


def test_it_shows_a_point_that_stands_alone() -> None:
    (trace,) = KIND.draw(frame_of(series_of([np.nan, 1.0, np.nan, 2.0, 3.0])), {}).figure["data"]
    assert trace["mode"] == "lines+markers"
    assert array(trace["marker"]["size"]).tolist() == [0, 4, 0, 0, 0]


def test_it_draws_a_part_of_the_nodes_apart() -> None:
    partial = np.array([np.nan, np.nan, 4e6, np.nan, np.nan])
    series = series_of([8e6, 8e6, np.nan, 8e6, 8e6], "throughput", "rate", partial=partial)
    traces = by_name(KIND.draw(frame_of(series), {}).figure)
    assert array(traces["Throughput, in part"]["y"])[2] == pytest.approx(4)
    assert "at least" in traces["Throughput, in part"]["hovertemplate"]


def test_it_draws_thresholds_once_values_come_near() -> None:
    low = KIND.draw(frame_of(series_of([0.001, 0.002], "server_latency")), {"thresholds": True}).figure
    assert low["layout"]["shapes"] == []
    high = KIND.draw(frame_of(series_of([0.09, 0.2], "server_latency")), {"thresholds": True}).figure
    assert [shape["y0"] for shape in high["layout"]["shapes"]] == pytest.approx([100, 300])


def test_it_draws_the_monitors_own_thresholds() -> None:
    own = Threshold("p95", 0.02, 0.06)
    shapes = KIND.draw(frame_of(series_of(WAVE, threshold=own)), {"thresholds": True}).figure["layout"]["shapes"]
    assert [shape["y0"] for shape in shapes] == pytest.approx([20, 60])
    two = frame_of(series_of(WAVE, threshold=own), series_of(WAVE, keys={"monitor": "b"}))
    assert KIND.draw(two, {"thresholds": True}).figure["layout"]["shapes"] == []


def test_it_draws_a_line_where_a_definition_changed() -> None:
    said = "Definition changed: filter was empty, is <b>tcp</b>"
    frame = frame_of(series_of(WAVE), changes=((START + 20, said),))
    figure = KIND.draw(frame, {}).figure
    validated(figure)
    (line,) = figure["layout"]["shapes"]
    assert line["x0"] == line["x1"] == "2026-01-01 10:00:20"
    (words,) = figure["layout"]["annotations"]
    assert words["text"] == "definition changed"
    assert words["hovertext"] == "Definition changed: filter was empty, is<br>&lt;b&gt;tcp&lt;/b&gt;"


def test_it_says_changes_that_are_close_to_each_other_in_one_place() -> None:
    changes = ((START + 1, "one"), (START + 2, "two"), (START + 45, "three"))
    layout = KIND.draw(frame_of(series_of(WAVE), changes=changes), {}).figure["layout"]
    assert len(layout["shapes"]) == 3
    assert [(words["text"], words["xanchor"]) for words in layout["annotations"]] == [
        ("definition changed 2 times", "left"),
        ("definition changed", "right"),
    ]


def test_it_tells_lines_of_an_older_definition_apart() -> None:
    keys = {"client_ip": "10.0.0.1"}
    frame = frame_of(series_of(WAVE, keys=keys), series_of(WAVE, keys=keys | {"definition": "before 14:02"}))
    traces = KIND.draw(frame, {}).figure["data"]
    assert [trace["name"] for trace in traces if trace["name"]] == ["10.0.0.1", "10.0.0.1 (before 14:02)"]


def test_it_gives_a_monitor_one_colour_on_every_panel() -> None:
    names = {"db": "Database", "web": "Web"}
    both = KIND.draw(frame_of(*(series_of(WAVE, keys={"monitor": slug}) for slug in ("web", "db")), names=names), {})
    alone = KIND.draw(frame_of(series_of(WAVE, keys={"monitor": "web"}), names=names), {})
    color = by_name(both.figure)["Web"]["line"]["color"]
    assert alone.figure["data"][0]["line"]["color"] == color


def test_it_leaves_out_a_series_without_any_value() -> None:
    frame = frame_of(series_of(WAVE, keys={"node": "a"}), series_of([np.nan] * 5, keys={"node": "b"}))
    assert len(KIND.draw(frame, {}).figure["data"]) == 1


def test_it_writes_times_in_the_zone_also_over_a_change_of_the_clock() -> None:
    plain = KIND.draw(frame_of(series_of(WAVE), zone="Asia/Tokyo"), {}).figure["data"][0]
    assert (plain["x0"], plain["dx"]) == ("2026-01-01 19:00:00", 10_000)
    change = 1_774_745_000 // 3600 * 3600  # 2026-03-29, the night in which Berlin's clocks go forward
    times = change + np.arange(6, dtype=np.int64) * 3600
    frame = frame_of(series_of([1.0] * 6), step=3600, zone="Europe/Berlin")
    frame = type(frame)(**(frame.__dict__ | {"times": times, "start": int(times[0]), "end": int(times[-1]) + 3600}))
    figure = KIND.draw(frame, {}).figure
    hours = [moment[11:13] for moment in figure["data"][0]["x"]]
    assert hours == ["01", "03", "04", "05", "06", "07"]
    validated(figure)
