"""Age counts from the write: a capture of 1999 stays as long as today's traffic, and what is gone is never mixed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection

from monitors.models import Group, Monitor, Partition, Pull, Retention, Rollup
from monitors.series import partitions
from monitors.series.retention import remove_large, remove_old, remove_orphans
from monitors.series.rollup import roll_up
from monitors.series.sizes import GB, stored
from monitors.series.tiers import STEPS, partition_span
from tests.monitors.clock import NOW, pull
from tests.monitors.samples import rows, totals
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db
DAY = 86_400
SPRING_1999 = 925_000_000


def moment(second: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(second, dt.UTC)


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


def by_bytes(gigabytes: float) -> list[str]:
    Retention.objects.update_or_create(pk=1, defaults={"budget_gb": gigabytes})
    return remove_large(dt.datetime.now(dt.UTC).timestamp())


def two_days(stub: StubNode) -> None:
    """Traffic on two days of 1999, pulled and folded."""
    for t in (SPRING_1999, SPRING_1999 + DAY):
        stub.add(t, bytes_client=1)
    stub.complete_until = SPRING_1999 + DAY + 10
    pull()
    roll_up(NOW + 20)


def test_it_removes_the_oldest_of_the_finest_tier_when_the_budget_is_reached(stub: StubNode, monitor: Monitor) -> None:
    two_days(stub)
    assert by_bytes(1.0) == []
    sizes = {one.name: one.size for one in stored()}
    tight = (sum(sizes.values()) - sizes["samples_10_19990425"] + 1) / GB
    assert by_bytes(tight) == ["samples_10_19990425"]
    assert list(totals(monitor, 10)) == [SPRING_1999 + DAY]
    for step in (60, 600, 3600, DAY):
        assert sum(totals(monitor, step).values()) == 2
    gone = Partition.objects.get(step=10, dropped__isnull=False)
    assert (gone.why, gone.freed) == ("the budget of 0.0 GB was reached", sizes["samples_10_19990425"])
    assert Pull.objects.get().frozen == (partition_span(10, SPRING_1999),)
    assert by_bytes(tight) == []


def test_it_removes_no_bytes_that_wait_to_be_folded(stub: StubNode, monitor: Monitor) -> None:
    stub.add(SPRING_1999, bytes_client=1)
    stub.complete_until = SPRING_1999 + 10
    pull()
    assert by_bytes(0.0) == []
    assert list(totals(monitor, 10).values()) == [1]


def test_it_keeps_a_coarser_part_as_long_as_the_finer_within_it_waits(stub: StubNode, monitor: Monitor) -> None:
    two_days(stub)
    Rollup.objects.create(monitor_id=monitor.pk, step=60, run=SPRING_1999, due="2099-01-01T00:00Z")
    gone = by_bytes(0.0)
    assert "samples_10_19990426" in gone
    assert not {"samples_10_19990425", "samples_60_19990425", "samples_600_19990419"} & set(gone)


def test_it_keeps_what_is_being_written_and_says_so(
    stub: StubNode, monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    now = int(dt.datetime.now(dt.UTC).timestamp())
    stub.add(now - 100, bytes_client=1)
    stub.complete_until = now
    pull(now)
    roll_up(now + 3 * DAY)
    Rollup.objects.all().delete()
    by_bytes(0.0)
    assert [sum(totals(monitor, step).values()) for step in (10, 60, 600, 3600, DAY)] == [1] * 5
    assert "nothing may go" in caplog.text


def test_it_removes_hours_that_are_folded_into_days_by_the_day(
    stub: StubNode, make_monitor: Callable[..., Monitor]
) -> None:
    """Hours of 1 s, of which a whole day is one run: half of it gone, the day could never be folded again."""
    monitor = make_monitor(resolution=1, steps=[DAY])
    start = NOW // DAY * DAY - DAY
    for hour in (1, 5):
        stub.add(start + hour * 3600, bytes_client=1)
    for later in (0, 10, 20):
        pull(NOW + later)
    roll_up(NOW + 3 * DAY)
    assert totals(monitor, DAY) == {start: 2}
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
    Partition.objects.filter(step=1, lower=moment(start + 3600)).update(last_write=old)
    assert remove_old(dt.datetime.now(dt.UTC).timestamp()) == []
    Partition.objects.filter(step=1).update(last_write=old)
    assert len(remove_old(dt.datetime.now(dt.UTC).timestamp())) >= 2
    assert totals(monitor, DAY) == {start: 2}
    assert totals(monitor, 1) == {}


def test_it_never_replaces_a_run_by_what_is_left_of_its_source(stub: StubNode, monitor: Monitor) -> None:
    """A pull that was on its way while retention removed its stretch marks it when all else is gone."""
    two_days(stub)
    written(days_ago=8)
    remove_old(dt.datetime.now(dt.UTC).timestamp())
    run = SPRING_1999 // 600 * 600
    Rollup.objects.create(monitor_id=monitor.pk, step=60, run=run, due="2000-01-01T00:00Z")
    roll_up(NOW + 3 * DAY)
    assert sum(totals(monitor, 60).values()) == 2


def test_it_takes_the_days_of_the_site(stub: StubNode, monitor: Monitor) -> None:
    two_days(stub)
    written(days_ago=3)
    Retention.objects.update_or_create(pk=1, defaults={"days_10": 2})
    assert remove_old(dt.datetime.now(dt.UTC).timestamp()) == ["samples_10_19990425", "samples_10_19990426"]
    assert set(Partition.objects.exclude(dropped=None).values_list("why", flat=True)) == {"kept for 2 days"}
