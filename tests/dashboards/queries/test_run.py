"""Queries over real samples: what the console says against NumPy on what was put in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from cstor.metrics.registry import METRICS
from dashboards.queries.frame import Frame, Series
from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec, SpecError
from monitors.models import Group, Monitor, Node, Pull, Service
from tests.dashboards.samples import Samples, cover
from tests.dashboards.traffic import CONVERSATIONS, END, START, Traffic

NOW = datetime.fromtimestamp(END + 5, UTC)
QUANTILES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}


def ask(traffic: Traffic, points: int = 1500, **words: Any) -> Frame:
    data = {"monitors": ["web"], "range": {"from": str(START), "to": str(END)}, "step": 10} | words
    return run(QuerySpec.from_json(data), NOW, points)


def of(frame: Frame, metric: str, stat: str, **keys: Any) -> Series:
    found = [
        item
        for item in frame.series
        if (item.metric, item.stat) == (metric, stat) and keys.items() <= item.keys.items()
    ]
    assert len(found) == 1
    return found[0]


def true(values: np.ndarray, stat: str) -> float:
    """The value of the rank that a DDSketch answers, in seconds."""
    return float(np.percentile(values, QUANTILES[stat], method="lower")) / 1e9


@pytest.mark.parametrize("stat", QUANTILES)
@pytest.mark.parametrize("step", [10, 60, 600])
def test_its_percentiles_are_true_over_nodes_groups_and_time(traffic: Traffic, stat: str, step: int) -> None:
    frame = ask(traffic, metrics=[f"response_time:{stat}"], step=step)
    series = of(frame, "response_time", stat)
    assert len(series.values) == (END - START) // step
    for number, moment in enumerate(frame.times.tolist()):
        assert series.values[number] == pytest.approx(true(traffic.all_ns(moment, moment + step), stat), rel=0.0101)
    assert series.whole == pytest.approx(true(traffic.all_ns(), stat), rel=0.0101)
    assert series.n.sum() == series.whole_n == len(traffic.all_ns())


def test_its_percentiles_of_one_group_are_true(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["response_time:p95", "response_time:mean"], by=["client_ip"], step=60)
    assert len(frame.series) == 2 * len(CONVERSATIONS)
    for number, keys in enumerate(CONVERSATIONS):
        assert of(frame, "response_time", "p95", client_ip=keys["client_ip"]).whole == pytest.approx(
            true(traffic.of(number), "p95"), rel=0.0101
        )
        mean = of(frame, "response_time", "mean", client_ip=keys["client_ip"]).whole
        assert mean == pytest.approx(traffic.of(number).mean() / 1e9, rel=1e-9)


def test_its_sums_and_rates_are_exact(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum", "throughput:rate"])
    assert of(frame, "bytes", "sum").values.sum() == traffic.bytes_of()
    rate = of(frame, "throughput", "rate")
    assert (rate.values * 10 / 8).sum() == pytest.approx(traffic.bytes_of())
    assert rate.whole == pytest.approx(traffic.bytes_of() * 8 / (END - START))
    assert rate.unit == "bit/s"


def test_it_ranks_and_folds_the_rest_into_other(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum"], by=["client_ip"], top={"n": 3, "metric": "bytes", "stat": "sum"})
    biggest = sorted(range(8), key=traffic.bytes_of, reverse=True)[:3]
    assert [item.keys.get("client_ip") for item in frame.series[:3]] == [CONVERSATIONS[n]["client_ip"] for n in biggest]
    other = frame.series[3]
    assert other.keys == {"other": True}
    assert other.whole == traffic.bytes_of() - sum(traffic.bytes_of(n) for n in biggest)
    assert frame.other_share == pytest.approx(other.whole / traffic.bytes_of())


def test_it_ranks_by_percentiles_too(traffic: Traffic) -> None:
    top = {"n": 2, "metric": "response_time", "stat": "p95"}
    frame = ask(traffic, metrics=["response_time:p95"], by=["client_ip"], top=top)
    slowest = sorted(range(8), key=lambda n: true(traffic.of(n), "p95"), reverse=True)[:2]
    assert [item.keys["client_ip"] for item in frame.series] == [CONVERSATIONS[n]["client_ip"] for n in slowest]


def test_it_groups_by_fewer_keys_than_are_kept(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum"], by=["server_ip"])
    expected: dict[str, int] = {}
    for number, keys in enumerate(CONVERSATIONS):
        expected[keys["server_ip"]] = expected.get(keys["server_ip"], 0) + traffic.bytes_of(number)
    assert {item.keys["server_ip"]: item.whole for item in frame.series} == expected


def test_it_derives_a_network_from_the_address(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum"], by=["client_net"])
    assert [item.keys for item in frame.series] == [{"client_net": "10.0.0.0/24"}]


def test_it_filters_and_says_what_share_is_left_out(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum"], filter="server port 5432")
    wanted = [number for number, keys in enumerate(CONVERSATIONS) if keys["server_port"] == 5432]
    assert of(frame, "bytes", "sum").whole == sum(traffic.bytes_of(number) for number in wanted)
    assert frame.other_share == pytest.approx(traffic.bytes_of(8) / traffic.bytes_of())


def test_it_says_what_share_can_carry_no_label(traffic: Traffic) -> None:
    Group.objects.filter(server_port=443).update(service_id=Service.objects.create(name="Shop").pk)
    frame = ask(traffic, metrics=["bytes:sum"], by=["service"])
    assert {item.keys["service"] for item in frame.series} == {"Shop", None}
    assert frame.other_share == pytest.approx(traffic.bytes_of(8) / traffic.bytes_of())
    assert frame.warnings[0].endswith(
        " % of all bytes were folded into Other by the nodes, where no label can be told."
    )
    assert set(frame.filters.values()) == {""}


def test_it_says_that_nothing_carries_a_label(traffic: Traffic) -> None:
    warnings = ask(traffic, metrics=["bytes:sum"], by=["service", "application"]).warnings
    assert warnings[:2] == (
        "No conversation here has a service: define some under Labels.",
        "No conversation here has a protocol: define some under Labels.",
    )


def test_it_says_which_node_has_never_answered(traffic: Traffic) -> None:
    dead = Node.objects.create(name="cstor-c", url="http://127.0.0.1:1", error="connection refused")
    traffic.web.nodes.add(dead)
    Pull.objects.create(monitor=traffic.web, node=dead, next_run=NOW)
    assert ask(traffic, metrics=["bytes:sum"]).warnings == ("cstor-c has never answered: connection refused",)
    several = ask(traffic, monitors=[], metrics=["bytes:sum"], by=["monitor"], step=60).warnings
    assert several == ("cstor-c has never answered for Web: connection refused",)
    traffic.web.nodes.remove(dead)
    assert ask(traffic, metrics=["bytes:sum"]).warnings == ()


def test_it_misses_no_node_that_left(traffic: Traffic) -> None:
    node = traffic.nodes[1]
    cover(traffic.web, node, (START, START + 300))
    assert [gap.kind for gap in ask(traffic, metrics=["bytes:sum"]).gaps] == ["down"]
    traffic.web.nodes.remove(node)
    frame = ask(traffic, metrics=["bytes:sum"])
    assert frame.gaps == ()
    assert np.isfinite(frame.series[0].values).all()


def test_it_answers_by_node_and_for_one_node(traffic: Traffic) -> None:
    by_node = ask(traffic, metrics=["bytes:sum"], by=["node"])
    one = ask(traffic, metrics=["bytes:sum"], nodes=["cstor-a"])
    even = sum(traffic.bytes_of(number) for number in range(0, 9, 2))
    assert of(by_node, "bytes", "sum", node="cstor-a").whole == even == of(one, "bytes", "sum").whole
    assert of(by_node, "bytes", "sum", node="cstor-b").whole == traffic.bytes_of() - even


def test_it_answers_by_monitor_with_slugs_and_without_data(traffic: Traffic) -> None:
    frame = ask(traffic, monitors=[], metrics=["bytes:sum"], by=["monitor"], step=60)
    assert of(frame, "bytes", "sum", monitor="web").whole == traffic.bytes_of()
    assert not np.isfinite(of(frame, "bytes", "sum", monitor="quiet").values).any()


def test_it_reads_the_same_from_every_tier(traffic: Traffic) -> None:
    from monitors.models import Rollup
    from monitors.series.rollup import roll_up

    before = ask(traffic, metrics=["response_time:p95", "bytes:sum"], by=["server_ip"], step=60)
    roll_up(END + 86_400 * 40)
    assert not Rollup.objects.exists()
    after = ask(traffic, metrics=["response_time:p95", "bytes:sum"], by=["server_ip"], step=60)
    assert (before.tier, after.tier) == (10, 60)
    for one, other in zip(before.series, after.series, strict=True):
        assert one.keys == other.keys
        np.testing.assert_allclose(one.values, other.values)
    Rollup.objects.create(monitor_id=traffic.web.pk, step=60, run=START // 600 * 600, due=NOW)
    assert ask(traffic, metrics=["bytes:sum"], step=60).tier == 10


def test_it_leaves_a_gap_where_no_node_was_watching(traffic: Traffic) -> None:
    for node in traffic.nodes:
        cover(traffic.web, node, (START, START + 200), (START + 320, END))
    frame = ask(traffic, metrics=["throughput:rate", "response_time:p95", "refused:sum"])
    for item in frame.series:
        assert np.isnan(item.values[20:32]).all()
        assert np.isfinite(item.values[:20]).all()
        assert np.isfinite(item.values[32:]).all()
    spans = {(gap.start, gap.end, gap.total) for gap in frame.gaps}
    assert spans == {(START + 200, START + 320, True)}
    assert "not yet fetched from cstor-a" in {gap.reason for gap in frame.gaps}
    assert frame.to_json()["series"][0]["values"][25] is None


def test_it_shows_sums_of_one_node_of_two_as_lower_bounds_only(traffic: Traffic) -> None:
    from monitors.models import Observed

    node = traffic.nodes[1]
    Observed.objects.filter(node=node).update(observed=((START, START + 300), (START + 420, END)))
    frame = ask(traffic, metrics=["throughput:rate", "response_time:p95"])
    rate, latency = frame.series
    assert np.isnan(rate.values[30:42]).all()
    assert np.isfinite(rate.partial[30:42]).all()
    assert np.isfinite(latency.values).all()
    (gap,) = frame.gaps
    assert (gap.start, gap.end, gap.reason) == (START + 300, START + 420, "cstor-b was not capturing")
    assert not gap.total
    alone = ask(traffic, metrics=["throughput:rate"], nodes=["cstor-a"])
    assert np.isfinite(alone.series[0].values).all()
    assert alone.gaps == ()


def test_it_says_0_where_it_watched_and_saw_nothing(db: None) -> None:
    node = Node.objects.create(name="n", url="http://127.0.0.1:1")
    monitor = Monitor.objects.create(name="still", resolution=10)
    cover(monitor, node, (START, END))
    spec = {"monitors": ["still"], "metrics": ["bytes:sum", "response_time:p95", "failure_percent"]}
    frame = run(QuerySpec.from_json(spec | {"range": {"from": str(START), "to": str(END)}}), NOW)
    sums, latency, percent = frame.series
    assert (sums.values == 0).all()
    assert np.isnan(latency.values).all()
    assert np.isnan(percent.values).all()


def test_it_says_nothing_of_the_time_after_the_newest_answer(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum"], range={"from": str(END - 60), "to": str(END + 60)})
    assert np.isfinite(frame.series[0].values[:6]).all()
    assert np.isnan(frame.series[0].values[6:]).all()
    assert frame.complete_until == END
    assert frame.gaps == ()


def test_it_is_not_held_up_by_a_node_that_stopped(traffic: Traffic) -> None:
    cover(traffic.web, traffic.nodes[1], (START, START + 300))
    frame = ask(traffic, metrics=["bytes:sum"])
    assert frame.complete_until == END
    (gap,) = frame.gaps
    assert (gap.start, gap.end) == (START + 300, END)


def test_it_counts_no_gap_before_a_node_was_there(traffic: Traffic) -> None:
    late = Node.objects.create(name="late", url="http://127.0.0.1:2")
    cover(traffic.web, late, (START + 300, END))
    frame = ask(traffic, metrics=["bytes:sum"])
    assert frame.gaps == ()
    assert np.isfinite(frame.series[0].values).all()


def test_it_tells_where_the_data_is(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum"], range={"from": "now-1h", "to": "now"}, step="auto")
    later = run(
        QuerySpec.from_json({"monitors": ["web"], "metrics": ["bytes:sum"]}),
        datetime.fromtimestamp(END + 86_400 * 9, UTC),
    )
    assert not frame.is_empty
    assert later.kept == (START, END)
    assert later.warnings[0] == "No data in this range. Data from 2026-01-01 10:10 to 10:20."


def test_it_compares_with_the_day_before(traffic: Traffic) -> None:
    node = traffic.nodes[0]
    earlier = Samples(traffic.web)
    for t in range(START - 86_400, END - 86_400, 10):
        earlier.put(t, node, CONVERSATIONS[0], {"bytes_client": 7})
    earlier.write()
    cover(traffic.web, node, (START - 86_400, END))
    frame = ask(traffic, metrics=["bytes:sum"], compare="1d")
    now, past = frame.series
    assert (now.compared, past.compared) == ("", "1d")
    assert (past.values == 7).all()
    assert len(past.values) == len(now.values) == len(frame.times)


@pytest.mark.parametrize(
    ("words", "field", "message"),
    [
        ({"monitors": ["nobody"]}, "monitors", 'there is no monitor "nobody"; there are: quiet, web'),
        ({"nodes": ["nowhere"]}, "nodes", 'there is no node "nowhere"; there are: cstor-a, cstor-b'),
        ({"by": ["vni"]}, "by", 'monitor "Web" does not keep vni'),
        ({"filter": "vni 5"}, "filter", "does not keep vni"),
        ({"filter": "tcp[13] = 2"}, "filter", "single packets"),
        ({"filter": "prot 443"}, "filter", "column"),
        ({"range": {"from": "now", "to": "now-1h"}}, "range", "ends before it begins"),
    ],
)
def test_it_says_what_cannot_be_asked(traffic: Traffic, words: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        ask(traffic, **({"metrics": ["bytes:sum"]} | words))
    assert caught.value.field == field
    assert message in caught.value.message


def test_it_coarsens_a_step_that_is_not_kept(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum"], step=1)
    assert frame.step == 10
    assert "10 s is used" in frame.warnings[0]


def test_it_leads_from_a_group_to_its_packets(traffic: Traffic) -> None:
    frame = ask(traffic, metrics=["bytes:sum"], by=["client_ip", "server_port"], top={"n": 1})
    (text, other) = (frame.filters[str(item.keys)] for item in frame.series)
    assert text == "(tcp port 443) and (client host 10.0.0.8) and (server port 443)"
    assert other == "tcp port 443"


def test_every_metric_and_stat_can_be_asked(traffic: Traffic) -> None:
    every = [f"{metric.key}:{stat}" for metric in METRICS.values() for stat in metric.stats]
    for start in range(0, len(every), 40):
        frame = ask(traffic, metrics=every[start : start + 40], step=60)
        assert len(frame.series) == len(every[start : start + 40])
        assert all(len(item.values) == len(frame.times) for item in frame.series)
        assert replace(frame).to_json()["series"]


def test_it_answers_without_any_monitor(db: None) -> None:
    frame = run(QuerySpec.from_json({"metrics": ["bytes:sum"], "by": ["monitor"]}), NOW)
    assert frame.is_empty
    assert "There is no monitor yet." in frame.warnings


def test_it_puts_everything_into_other_where_no_group_has_a_row(traffic: Traffic) -> None:
    from monitors.models import SAMPLES

    SAMPLES[10].objects.exclude(group_id__in=(0, 1)).delete()
    frame = ask(traffic, metrics=["bytes:sum"], by=["client_ip"], top={"n": 3, "metric": "bytes", "stat": "sum"})
    assert [item.keys for item in frame.series] == [{"other": True}]
    assert frame.other_share == 1
