"""Every tier equals the fold of the base tier: sums, minima, maxima and histograms, over time and nodes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cstor.metrics.histogram import unpack
from monitors.models import Monitor, Node, Rollup
from monitors.series import keep
from monitors.series.rollup import roll_up
from monitors.series.tiers import TOTAL_GROUP
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import rows, totals
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db
DAY = 86_400


def test_it_folds_sums_extremes_and_histograms(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 120, bytes_client=10, max_packet_bytes_client=700, response_time=[1_000_000, 5_000_000])
    stub.add(NOW - 110, bytes_client=20, max_packet_bytes_client=900, response_time=[1_000_000])
    stub.add(NOW - 60, bytes_client=40)
    pull()
    assert roll_up(NOW + 3 * DAY) == 4
    asked = ("bytes_client", "max_packet_bytes_client", "response_time_count", "response_time_min", "response_time")
    first, second = rows(monitor, 60, *asked, group_id=TOTAL_GROUP)
    assert first[:1] + first[3:7] == (NOW - 120, 30, 900, 3, 1_000_000)
    bins, counts = unpack(first[7])
    assert counts.tolist() == [2, 1], "equal bins are one pair"
    assert bins.tolist() == sorted(bins.tolist())
    assert second[3:] == (40, None, None, None, None)
    for step in (600, 3600):
        (row,) = rows(monitor, step, *asked, group_id=TOTAL_GROUP)
        assert (row[0], *row[3:7]) == ((NOW - 120) // step * step, 70, 900, 3, 1_000_000)
        assert unpack(row[7])[1].tolist() == [2, 1]
    assert not Rollup.objects.exists()


def test_a_node_that_lies_keeps_no_run_from_being_folded(stub: StubNode, make_monitor: Callable[..., Monitor]) -> None:
    """Sums beyond 64 bits, in a row and over rows; the groups of it are ranked as well."""
    make_monitor("honest", keys=["client_ip"])
    lied_to = make_monitor("lied to", keys=["client_ip"])
    for t in (NOW - 120, NOW - 110):
        stub.add(t, bytes_client=2**63 - 1, bytes_server=2**63 - 1)
    pull()
    keep.refresh(list(Monitor.objects.all()), NOW)
    assert roll_up(NOW + 3 * DAY) == 8
    assert totals(lied_to, 60) == {NOW - 120: 2**63 - 1}
    assert not Rollup.objects.exists()


def test_it_folds_groups_over_the_nodes_and_keeps_totals_apart(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    with StubNode(complete_until=NOW) as other:
        nodes = [*Node.objects.all(), Node.objects.create(name="other", url=other.url)]
        folded, kept = make_monitor("folded", nodes), make_monitor("kept", nodes, keys=["client_ip", "node"])
        stub.add(NOW - 100, bytes_client=1)
        other.add(NOW - 100, bytes_client=2)
        pull()
    roll_up(NOW + 3 * DAY)
    found = [(row[1] == TOTAL_GROUP, row[2], row[3]) for row in rows(folded, 60, "bytes_client")]
    assert sorted(found) == sorted([(False, 0, 3), (True, nodes[0].pk, 1), (True, nodes[1].pk, 2)])
    assert sorted(row[2:] for row in rows(kept, 60, "bytes_client", group_id__gt=1)) == [
        row[2:] for row in sorted(rows(kept, 10, "bytes_client", group_id__gt=1), key=lambda row: row[2])
    ]


def test_it_folds_a_run_anew_when_late_rows_come(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100, bytes_client=1)
    stub.complete_until = NOW - 50
    pull()
    roll_up(NOW + 3 * DAY)
    stub.add(NOW - 40, bytes_client=2)
    stub.complete_until = NOW
    pull(NOW + 20)
    assert Rollup.objects.filter(step=3600, run=(NOW - 100) // 21_600 * 21_600).exists()
    roll_up(NOW + 3 * DAY)
    for step in (60, 600, 3600, DAY):
        assert sum(totals(monitor, step).values()) == 3
    assert not Rollup.objects.exists()


def test_it_leaves_the_run_that_is_still_open(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 5, bytes_client=1)
    pull()
    assert roll_up(NOW) == 0
    assert roll_up(NOW + 20) == 2, "10 minutes and the hour end at the full hour; 6 hours and the day do not"
    assert {(row.step, row.run) for row in Rollup.objects.all()} == {
        (3600, NOW // 21_600 * 21_600),
        (DAY, NOW // DAY * DAY),
    }


def test_it_folds_no_coarse_run_while_a_finer_one_waits(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 5, bytes_client=1)
    pull()
    Rollup.objects.filter(step=60).update(due="2099-01-01T00:00Z")
    assert roll_up(NOW + 3 * DAY) == 0
    assert rows(monitor, 600) == []


def test_it_folds_a_monitor_of_one_minute_from_its_own_base(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    monitor = make_monitor(resolution=60)
    for t in range(NOW - 3600, NOW, 60):
        stub.add(t, bytes_client=1)
    pull()
    roll_up(NOW + 3 * DAY)
    assert len(totals(monitor, 60)) == 60
    assert totals(monitor, 600) == dict.fromkeys(range(NOW - 3600, NOW, 600), 10)
    assert totals(monitor, DAY) == {NOW // DAY * DAY: 60}
