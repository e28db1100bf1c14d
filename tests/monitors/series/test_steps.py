"""The steps a monitor keeps: what is dropped goes, what comes back is folded from what is still there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from monitors.models import Monitor, Partition, Rollup
from monitors.series.read import ReadRequest, read
from monitors.series.retention import remove_old
from monitors.series.rollup import roll_up
from monitors.series.steps import remove_dropped
from monitors.series.tiers import ROLLUPS, source_of, tiers_of
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import rows, totals
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db
DAY = 86_400


@pytest.fixture
def few(stub: StubNode, make_monitor: Callable[..., Monitor]) -> Monitor:
    """A monitor that keeps only hours above its 10 s, with two hours of traffic."""
    monitor = make_monitor(steps=[3600])
    for t in range(NOW - 7200, NOW, 600):
        stub.add(t, bytes_client=1, response_time=[1_000_000])
    pull()
    roll_up(NOW + 3 * DAY)
    return monitor


def fold_marked() -> None:
    """What a save marked is due by the database's clock."""
    roll_up(dt.datetime.now(dt.UTC).timestamp() + DAY)


def keep(monitor: Monitor, *steps: int) -> None:
    monitor.steps = list(steps)
    monitor.save()


def test_it_knows_the_tiers_of_a_monitor() -> None:
    assert tiers_of(10, [3600, 60]) == (10, 60, 3600)
    assert tiers_of(60, ROLLUPS) == (60, 600, 3600, DAY)
    assert tiers_of(1, []) == (1,)
    assert source_of(3600, tiers_of(10, [3600])) == 10


def test_it_folds_only_the_steps_that_are_kept(few: Monitor) -> None:
    assert totals(few, 3600) == {NOW - 7200: 6, NOW - 3600: 6}
    for step in (60, 600, DAY):
        assert rows(few, step) == []
    assert not Rollup.objects.exists()


def test_it_reads_a_monitor_of_few_steps(few: Monitor) -> None:
    asked = ReadRequest((few.pk,), ("bytes_client",), NOW - 7200, NOW, 600)
    assert read(asked).columns["bytes_client"].tolist() == [1.0] * 12  # type: ignore[union-attr]
    assert read(asked).tier == 10
    asked = ReadRequest((few.pk,), ("bytes_client",), NOW - 7200, NOW, 3600)
    assert read(asked).tier == 3600


def test_it_removes_the_rows_of_a_step_that_is_dropped_and_nothing_else(
    stub: StubNode, monitor: Monitor, make_monitor: Callable[..., Monitor]
) -> None:
    other = make_monitor("other")
    stub.add(NOW - 100, bytes_client=3)
    pull()
    roll_up(NOW + 3 * DAY)
    keep(monitor, 60, 3600)
    assert not Rollup.objects.exists(), "nothing is folded anew"
    assert remove_dropped() == 4, "a group and the total, in two tiers"
    assert [bool(rows(monitor, step)) for step in (10, *ROLLUPS)] == [True, True, False, True, False]
    assert all(rows(other, step) for step in (10, *ROLLUPS))
    assert remove_dropped() == 0


def test_it_folds_a_step_that_comes_back_over_all_that_is_stored(few: Monitor) -> None:
    keep(few, 60, 600, 3600)
    fold_marked()
    assert totals(few, 60) == totals(few, 600) == dict.fromkeys(range(NOW - 7200, NOW, 600), 1)
    assert totals(few, 3600) == {NOW - 7200: 6, NOW - 3600: 6}


def test_it_folds_what_comes_back_from_the_tier_that_is_left(few: Monitor) -> None:
    """The base tier is removed by age: the day comes from the hours, the minute cannot come back."""
    Partition.objects.update(last_write=dt.datetime.now(dt.UTC) - dt.timedelta(days=8))
    remove_old(dt.datetime.now(dt.UTC).timestamp())
    assert rows(few, 10) == []
    keep(few, *ROLLUPS)
    fold_marked()
    assert sum(totals(few, DAY).values()) == 12
    assert totals(few, 3600) == {NOW - 7200: 6, NOW - 3600: 6}, "not folded from nothing"
    assert rows(few, 60) == []


def test_it_misses_no_row_that_was_on_its_way_when_a_step_came_back(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    monitor = make_monitor(steps=[])
    stub.add(NOW - 100, bytes_client=1)
    pull()
    keep(monitor, 60)
    stub.add(NOW + 5, bytes_client=2)
    stub.complete_until = NOW + 10
    pull(NOW + 20)
    fold_marked()
    assert totals(monitor, 60) == {(NOW - 100) // 60 * 60: 1, NOW: 2}
