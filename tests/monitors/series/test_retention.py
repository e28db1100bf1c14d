"""Age counts from the write: a capture of 1999 stays as long as today's traffic, and what is gone is never mixed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection

from monitors.models import Group, Monitor, Partition, Pull, Rollup
from monitors.series import partitions
from monitors.series.retention import remove_old, remove_orphans
from monitors.series.rollup import roll_up
from monitors.series.tiers import STEPS, partition_span
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import rows, totals
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db
DAY = 86_400
SPRING_1999 = 925_000_000


def written(days_ago: float) -> None:
    Partition.objects.update(last_write=dt.datetime.now(dt.UTC) - dt.timedelta(days=days_ago))


def test_it_keeps_an_old_capture_that_was_read_today(stub: StubNode, monitor: Monitor) -> None:
    stub.add(SPRING_1999, bytes_client=1)
    stub.complete_until = SPRING_1999 + 10
    pull()
    roll_up(NOW + 20)
    assert remove_old(dt.datetime.now(dt.UTC).timestamp()) == []
    for step in (10, 60, 600, 3600, DAY):
        assert list(totals(monitor, step).values()) == [1]


def test_it_removes_each_tier_by_its_own_age(stub: StubNode, monitor: Monitor) -> None:
    stub.add(SPRING_1999, bytes_client=1)
    stub.complete_until = SPRING_1999 + 10
    pull()
    roll_up(NOW + 20)
    written(days_ago=8)
    assert remove_old(dt.datetime.now(dt.UTC).timestamp()) == ["samples_10_19990425"]
    assert totals(monitor, 10) == {}
    assert list(totals(monitor, 60).values()) == [1]
    assert Pull.objects.get().frozen == (partition_span(10, SPRING_1999),)
    assert remove_old(dt.datetime.now(dt.UTC).timestamp()) == []


def test_it_removes_nothing_that_waits_to_be_folded(stub: StubNode, monitor: Monitor) -> None:
    stub.add(SPRING_1999, bytes_client=1)
    stub.complete_until = SPRING_1999 + 10
    pull()
    written(days_ago=8)
    assert remove_old(dt.datetime.now(dt.UTC).timestamp()) == []
    roll_up(NOW + 20)
    written(days_ago=8)
    assert remove_old(dt.datetime.now(dt.UTC).timestamp()) == ["samples_10_19990425"]


def test_it_never_folds_late_rows_with_rows_that_are_gone(stub: StubNode, monitor: Monitor) -> None:
    """The node learns of more traffic on that day after its base rows were removed here: it stays as it was folded."""
    stub.add(SPRING_1999, bytes_client=1)
    stub.complete_until = SPRING_1999 + 10
    pull()
    roll_up(NOW + 20)
    written(days_ago=8)
    remove_old(dt.datetime.now(dt.UTC).timestamp())
    stub.add(SPRING_1999 - 100, bytes_client=2)
    stub.revisions = {str(SPRING_1999 // 3600 * 3600): 1}
    for later in (20, 40, 60):
        pull(NOW + later)
    roll_up(NOW + DAY)
    assert totals(monitor, 10) == {}
    assert list(totals(monitor, 60).values()) == [1]


def test_it_lets_a_new_monitor_use_a_stretch_that_was_removed(
    stub: StubNode, monitor: Monitor, make_monitor: Callable[..., Monitor]
) -> None:
    stub.add(SPRING_1999, bytes_client=1)
    stub.complete_until = SPRING_1999 + 10
    pull()
    roll_up(NOW + 20)
    written(days_ago=8)
    remove_old(dt.datetime.now(dt.UTC).timestamp())
    later = make_monitor("later")
    pull(NOW + 10)
    assert list(totals(later, 10).values()) == [1]
    assert Partition.objects.get(step=10).dropped is None
    assert totals(monitor, 10) == {}


def test_it_cleans_up_after_a_deleted_monitor(
    stub: StubNode, monitor: Monitor, make_monitor: Callable[..., Monitor]
) -> None:
    other = make_monitor("other")
    stub.add(NOW - 100)
    pull()
    gone = Monitor(pk=monitor.pk)
    monitor.delete()
    assert rows(gone, 10) != []
    assert remove_orphans() == 1
    assert rows(gone, 10) == []
    assert not Group.objects.filter(monitor_id=gone.pk).exists()
    assert not Rollup.objects.filter(monitor_id=gone.pk).exists()
    assert rows(other, 10) != []
    assert remove_orphans() == 0


def test_it_makes_partitions_ahead(db: None) -> None:
    partitions.ensure_ahead(NOW + 23 * 3600)
    made = set(Partition.objects.values_list("step", flat=True))
    assert made == set(STEPS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'samples_60_20251010'")
        (options,) = cursor.fetchone()
    assert "toast_tuple_target=8160" in options


@pytest.mark.parametrize(
    ("step", "lower", "upper"),
    [
        (1, "2025-10-09T10:00", "2025-10-09T11:00"),
        (10, "2025-10-09T00:00", "2025-10-10T00:00"),
        (60, "2025-10-09T00:00", "2025-10-10T00:00"),
        (600, "2025-10-06T00:00", "2025-10-13T00:00"),
        (3600, "2025-10-01T00:00", "2025-11-01T00:00"),
        (DAY, "2025-01-01T00:00", "2026-01-01T00:00"),
    ],
)
def test_it_cuts_partitions_by_the_calendar(step: int, lower: str, upper: str) -> None:
    span = [dt.datetime.fromisoformat(f"{text}+00:00").timestamp() for text in (lower, upper)]
    assert list(partition_span(step, NOW + 1234)) == span
