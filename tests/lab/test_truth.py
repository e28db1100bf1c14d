"""The lab's ground truth is what METRICS.md's rules find in its packets, sample by sample."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from lab.capture import START_S, write_capture
from lab.scenario import discover
from lab.truth import TIMINGS, Row, Truth, summarize, summary, window
from lab.truthfile import read
from tests.lab.reference import measure, server_text

ROW = Row("web", "10.0.0.1", 443, 7, False)
COPY = Row("web", "10.0.0.1", 443, 8, True)


@pytest.mark.parametrize("name", ["default", "clean", "lossy"])
def test_it_equals_a_plain_reading_of_the_capture(name: str, tmp_path: Path) -> None:
    write_capture(discover()[name], tmp_path / "lab.pcap", seconds=20, seed=11)
    expected = defaultdict(list)
    for flow in measure(tmp_path / "lab.pcap"):
        for timing, values in flow.samples.items():
            expected[timing, server_text(flow), flow.server[1], flow.vni].extend(values)
    told = defaultdict(list)
    for part in read(tmp_path / "lab.pcap.json")["slices"]:
        for row in part["rows"]:
            for timing in TIMINGS:
                if row.get(timing):
                    told[timing, row["server_ip"], row["server_port"], row["vni"]].extend(row[timing])
    assert {key: sorted(values) for key, values in told.items()} == {
        key: sorted(values) for key, values in expected.items()
    }
    assert sum(len(values) for (timing, *_), values in told.items() if timing == "response_time") > 1000


def test_it_sums_up_primaries_and_keeps_copies_apart() -> None:
    slices: list[dict[str, object]] = []
    truth = Truth(slices.append)
    for row, value in ((ROW, 10_000_000), (ROW, 30_000_000), (COPY, 900_000_000)):
        truth.cell(row, 5_000_000_000)["response_time"].append(value)
    truth.finish()
    told = summarize(slices)
    assert told["total"]["response_time"]["n"] == 2
    assert told["services"][0]["response_time"]["p95"] == 0.01
    assert told["services"][0]["vni"] == 7
    assert told["copies"][0]["response_time"]["p50"] == 0.9


def test_it_tells_a_range_of_whole_slices() -> None:
    slices: list[dict[str, object]] = []
    truth = Truth(slices.append)
    for second in (5, 15, 25, 35):
        truth.cell(ROW, second * 1_000_000_000)["handshake_rtt"].append(second)
    truth.finish()
    told = window({"slices": slices}, 10, 30)
    assert (told["from"], told["to"]) == (10, 30)
    assert told["total"]["handshake_rtt"]["n"] == 2
    assert window({"slices": slices}, 11, 29)["total"] == {}


def test_it_takes_the_percentiles_that_the_console_takes() -> None:
    told = summary([value * 1_000_000_000 for value in range(1, 101)])
    assert (told["n"], told["p50"], told["p95"], told["p99"]) == (100, 50, 95, 99)
    assert summary([])["p50"] is None


def test_it_writes_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    scenario = discover()["lossy"]
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_capture(scenario, tmp_path / name, seconds=3, seed=seed)
    content = {name: (tmp_path / name).read_bytes() for name in "abc"}
    assert content["a"] == content["b"] != content["c"]
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    assert read(tmp_path / "a.json")["from"] == START_S
