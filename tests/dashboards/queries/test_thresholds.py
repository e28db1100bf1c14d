"""Whose amber and red."""

from __future__ import annotations

import pytest

from cstor.metrics.columns import METRICS
from cstor.metrics.metric import Threshold
from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec
from dashboards.queries.thresholds import threshold_of
from monitors.models import Monitor
from tests.dashboards.queries.test_run import NOW
from tests.dashboards.traffic import END, START, Traffic

LATENCY = METRICS["server_latency"]


def monitor(pk: int, **thresholds: object) -> Monitor:
    return Monitor(pk=pk, thresholds=thresholds)


def test_it_takes_what_one_monitor_says_and_the_rest_from_the_metric() -> None:
    assert threshold_of(LATENCY, [monitor(1, server_latency=[1, 2])]) == Threshold("p95", 1, 2, 20)
    assert threshold_of(LATENCY, [monitor(1)]) is None


def test_it_takes_what_several_say_only_where_they_agree() -> None:
    one, same, other = (monitor(n, server_latency=[1, n // 3 + 2]) for n in (1, 2, 3))
    assert threshold_of(LATENCY, [one, same]) == Threshold("p95", 1, 2, 20)
    assert threshold_of(LATENCY, [one, other]) is None
    assert threshold_of(LATENCY, [one, monitor(4)]) is None
    assert threshold_of(LATENCY, [one, other], monitor_id=3) == Threshold("p95", 1, 3, 20)


@pytest.mark.parametrize("value", [None, [1], "ab", ["x", 2], {"amber": 1}, [1, 2, 3]])
def test_it_passes_over_what_is_no_pair_of_numbers(value: object) -> None:
    assert threshold_of(LATENCY, [monitor(1, server_latency=value)]) is None


def test_series_carry_their_own_monitors_thresholds(traffic: Traffic) -> None:
    Monitor.objects.filter(pk=traffic.web.pk).update(thresholds={"server_latency": [0.001, 0.002]})
    span = {"from": str(START), "to": str(END)}
    frame = run(QuerySpec.from_json({"metrics": ["server_latency:p95"], "by": ["monitor"], "range": span}), NOW)
    found = {item.keys["monitor"]: item.threshold for item in frame.series}
    assert found == {"web": Threshold("p95", 0.001, 0.002, 20), "quiet": None}
