"""Questions about links and the nodes' own counters: monitors are found by what is asked, zeros are told from gaps."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from dashboards.queries.frame import Frame
from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec, SpecError
from dashboards.queries.subjects import find_subjects
from monitors.builtin import add_node_monitors
from monitors.models import Monitor, Node
from tests.dashboards.samples import Samples, cover

pytestmark = pytest.mark.django_db
START = 1_767_262_200
END = START + 60


@pytest.fixture
def node() -> Node:
    """Thirty seconds of its own counters, then it was not asked any more."""
    node = Node.objects.create(name="cstor-a", url="http://127.0.0.1:8801")
    other = Node.objects.create(name="cstor-b", url="http://127.0.0.1:8802")
    add_node_monitors()
    health = Monitor.objects.get(kind="capture_health")
    samples = Samples(health)
    lane = {"source": "mirror", "thread": "capture-0", "reason": None}
    stage = {"source": None, "thread": "capture-0", "reason": "decode"}
    for t in range(START, START + 30, 10):
        samples.put(t, node, lane, {"node_packets": 1000, "node_bytes": 8000, "node_ring_fill": 250})
        samples.put(t, node, stage, {"node_stage_time": 3_000_000, "node_stage_packets": 10_000})
    samples.write()
    cover(health, node, (START, START + 30))
    cover(health, other, (START, START + 30))
    Monitor.objects.create(name="Web")
    return node


def asked(**query: object) -> Frame:
    times = {"from": str(START), "to": str(END)}
    return run(QuerySpec.from_json({"range": times, "step": 10} | query), datetime.fromtimestamp(END, UTC))


def test_it_asks_the_monitors_that_measure_it(node: Node) -> None:
    spec = QuerySpec.from_json({"metrics": [{"key": "node_packets"}]})
    assert [monitor.kind for monitor in find_subjects(spec).monitors] == ["capture_health"]
    spec = QuerySpec.from_json({"metrics": [{"key": "throughput"}]})
    assert [monitor.name for monitor in find_subjects(spec).monitors] == ["Web"]


def test_it_refuses_to_ask_two_things_at_once(node: Node) -> None:
    with pytest.raises(SpecError, match="asked apart"):
        QuerySpec.from_json({"metrics": [{"key": "node_packets"}, {"key": "throughput"}]})
    with pytest.raises(SpecError, match="rank by one of their metrics"):
        QuerySpec.from_json({"metrics": [{"key": "node_packets"}], "top": {"n": 3, "metric": "bytes", "stat": "sum"}})
    spec = QuerySpec.from_json({"metrics": [{"key": "node_packets"}], "monitors": ["web"]})
    with pytest.raises(SpecError, match='"Web" measures conversations'):
        find_subjects(spec)


def test_it_shows_only_groups_that_count_the_metric(node: Node) -> None:
    frame = asked(metrics=[{"key": "node_packets", "stat": "rate"}], by=["node", "source", "reason"])
    (line,) = frame.series
    assert line.keys == {"node": "cstor-a", "source": "mirror", "reason": None}
    assert line.values[:3].tolist() == [100.0] * 3
    assert np.isnan(line.values[3:]).all(), "what was not pulled is a gap, not a zero"


def test_it_shows_a_line_at_zero_where_nothing_was_dropped(node: Node) -> None:
    frame = asked(metrics=[{"key": "node_drops", "stat": "rate"}], by=["reason"])
    (line,) = frame.series
    assert line.keys == {}
    assert line.values[:3].tolist() == [0.0] * 3
    assert np.isnan(line.values[3:]).all()


def test_it_finishes_time_per_packet_and_shares(node: Node) -> None:
    (cost,) = asked(metrics=[{"key": "node_stage_cost", "stat": "mean"}], by=["reason"]).series
    assert cost.keys == {"reason": "decode"} and cost.values[0] == pytest.approx(300e-9) and cost.unit == "s"
    (fill,) = asked(metrics=[{"key": "node_ring_fill", "stat": "value"}], by=["node", "source", "thread"]).series
    assert fill.values[0] == 2.5 and fill.unit == "%"
