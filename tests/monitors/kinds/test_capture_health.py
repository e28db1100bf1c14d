"""The nodes' own counters are pulled like everything else: same schedule, same covered set, same samples and tiers."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection

from monitors.builtin import add_node_monitors
from monitors.models import Group, Monitor, Node, Pull
from monitors.pulls.claim import claim
from monitors.pulls.run import run
from monitors.series.read import ReadRequest, read
from monitors.series.rollup import roll_up
from tests.monitors.clock import NOW
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db
START = NOW // 600 * 600 - 1200


def says(query: dict[str, Any]) -> dict[str, Any]:
    """A node's answer about itself: one source, one stage, two reasons of drops in the third bucket."""
    step, low, high = query["step"], query["from"], query["to"]
    head = {"id": query["id"], "step": step, "complete_until": NOW, "kept_from": START, "observed": [[START, NOW]]}
    rows: list[tuple[Any, ...]] = []
    for t in range(max(low, START) // step * step, min(high, START + 60), step):
        if query["subject"] == "node":
            rows += [(t, "mirror", "capture-0", None, 100 * step, None, 500, None, None)]
            rows += [(t, None, "capture-0", "decode", None, None, None, 30_000 * step, 100 * step)]
            rows += [(t, "mirror", "capture-0", "kernel", None, 7, None, None, None)] if t == START + 20 else []
    names = ("t", "source", "thread", "reason", "packets", "drops", "ring_fill", "stage_time", "stage_packets")
    columns = {name: [row[number] for row in rows] for number, name in enumerate(names)}
    columns |= {"vni": [None] * len(rows)}
    flags = {"is_other": [False] * len(rows), "is_total": [False] * len(rows)}
    return head | {"columns": columns | flags}


@pytest.fixture
def health(stub: StubNode, node: Node) -> Monitor:
    stub.answer_with = says
    stub.status = {"oldest_bucket": START, "newest_bucket": START + 50, "observed": [[START, NOW]]}
    add_node_monitors()
    monitor = Monitor.objects.get(kind="capture_health")
    for lease in claim(NOW):
        run(lease, lambda: NOW)
    return monitor


def test_it_asks_for_the_nodes_own_counters_by_source_thread_and_reason(stub: StubNode, health: Monitor) -> None:
    asked = {
        query["subject"]: query for call in stub.calls for query in call["queries"] if query.get("metrics") is None
    }
    assert asked["node"]["by"] == ["source", "thread", "reason"]
    assert asked["points"]["by"] == ["vni"]
    assert not Pull.objects.exclude(error="").exists()


def test_it_goes_on_when_ranked_groups_are_named(stub: StubNode, health: Monitor) -> None:
    """Nodes refuse a list of their own counters; one may be stored by an older version."""
    Monitor.objects.filter(pk=health.pk).update(keep=[{"source": "mirror", "thread": "capture-0", "reason": None}])
    Monitor.objects.update(keep_at=None)
    later = NOW + 20
    del stub.calls[:]
    for lease in claim(later):
        run(lease, lambda: later)
    kept = {query["subject"]: query["keep"] for call in stub.calls for query in call["queries"] if "keep" in query}
    assert kept == {"node": [], "points": []}
    health.refresh_from_db()
    assert health.keep_at is None


def test_it_covers_what_it_pulled(health: Monitor) -> None:
    (pull,) = health.pulls.all()
    assert pull.covered[0][0] <= START and pull.covered[-1][1] == NOW
    assert {(group.source, group.reason) for group in Group.objects.filter(monitor_id=health.pk)} == {
        ("mirror", None),
        (None, "decode"),
        ("mirror", "kernel"),
    }


def test_it_is_read_by_the_keys_of_the_node(health: Monitor, node: Node) -> None:
    bases = ("node_packets", "node_drops", "node_ring_fill", "node_stage_time")
    found = read(ReadRequest((health.pk,), bases, START, START + 60, 10, by=("reason",), order=("node_packets",)))
    rows = {group["reason"]: number for number, group in enumerate(found.groups)}
    packets = found.columns["node_packets"].reshape(len(rows), -1)  # type: ignore[union-attr]
    assert packets[rows[None]].tolist() == [1000.0] * 6
    drops = found.columns["node_drops"].reshape(len(rows), -1)  # type: ignore[union-attr]
    assert drops[rows["kernel"]].tolist() == [0, 0, 7, 0, 0, 0]
    fill = found.columns["node_ring_fill"].reshape(len(rows), -1)  # type: ignore[union-attr]
    assert fill[rows[None]].tolist() == [500.0] * 6
    assert found.seen["node_drops"].tolist() == [group["reason"] == "kernel" for group in found.groups]


def test_its_roll_up_keeps_sums_and_peaks(health: Monitor) -> None:
    roll_up(NOW + 86_400)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(node_packets), max(node_ring_fill), sum(node_drops) FROM samples_60 WHERE monitor_id = %s"
            " AND group_id NOT IN (0, 1)",
            [health.pk],
        )
        assert cursor.fetchone() == (6000, 500, 7)


def test_it_is_pulled_by_the_same_tick_as_traffic(stub: StubNode, node: Node) -> None:
    add_node_monitors()
    Monitor.objects.create(name="web").nodes.set([node])
    (lease,) = claim(time.time())
    assert Pull.objects.filter(lease=lease.lease).count() == 3
