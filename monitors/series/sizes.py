"""How much the samples take, how fast they grow, and when they will reach their budget."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from monitors.intervals import clip
from monitors.models import Partition, Pull, Retention
from monitors.series.distributed import distributed
from monitors.series.tiers import STEPS, partition_name, table_of

GB = 1_000_000_000
DEFAULT_BUDGET = 20 * GB
DAY_S = 86_400
# Growth is that of the last days: long enough for nights and weekends, short enough to follow a change.
RECENT_S = 7 * DAY_S
FAR_DAYS = 3650

Spans = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Stored:
    """One partition that is there, with its indexes."""

    partition: Partition
    size: int
    rows: int
    is_empty: bool

    @property
    def name(self) -> str:
        return partition_name(self.partition.step, self.lower)

    @property
    def lower(self) -> int:
        return int(self.partition.lower.timestamp())

    @property
    def upper(self) -> int:
        return int(self.partition.upper.timestamp())


@dataclass(frozen=True)
class Tier:
    """All that is stored of one step; growth per day as of the last days."""

    step: int
    days: int
    partitions: int
    size: int
    rows: int
    rows_per_day: float
    bytes_per_day: float
    oldest: dt.datetime | None

    @property
    def settles_at(self) -> float:
        """Bytes, once as much goes by age as comes."""
        return max(self.bytes_per_day * self.days, 0.0)


def stored() -> list[Stored]:
    """Every partition that is there; rows as the server estimates them."""
    tables = [table_of(step) for step in STEPS]
    # Of a distributed table there is nothing on this server: Citus adds up what the others have.
    kind = "citus" if distributed() else "pg"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.relname, {kind}_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint,"
            f" {kind}_relation_size(c.oid) = 0"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = ANY(SELECT to_regclass(name) FROM unnest(%s::text[]) name)",
            [tables],
        )
        sizes = {name: measured for name, *measured in cursor.fetchall()}
    found = []
    for partition in Partition.objects.filter(dropped=None).order_by("step", "lower"):
        name = partition_name(partition.step, int(partition.lower.timestamp()))
        if name in sizes:
            found.append(Stored(partition, *sizes[name]))
    return found


def budget(retention: Retention, used: int) -> int:
    """Bytes that all samples may take; `used` of the disk is theirs already."""
    if retention.budget_gb is not None:
        return int(retention.budget_gb * GB)
    folder = own_folder()
    if folder is None:
        return DEFAULT_BUDGET
    return min(DEFAULT_BUDGET, (shutil.disk_usage(folder).free + used) // 2)


def own_folder() -> Path | None:
    """The disk of the database, if it is the server of our own data folder; of another server's we know nothing."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('data_directory')")
            told = Path(cursor.fetchone()[0]).resolve()
    except DatabaseError:
        return None  # only a superuser is told
    home = Path(settings.DATA_DIR).resolve()
    return home if told.is_relative_to(home) and home.exists() else None


def tiers_stored(retention: Retention, found: Sequence[Stored], now: float) -> list[Tier]:
    """A line per step."""
    spans = _written(int(now))
    days = (spans[1][1] - spans[1][0]) / DAY_S
    return [_tier(step, retention.keep_days[step], found, spans, days) for step in STEPS]


def _tier(step: int, keep: int, found: Sequence[Stored], spans: Spans, days: float) -> Tier:
    mine = [one for one in found if one.partition.step == step]
    grown = [(_share(one, spans) / days, one) for one in mine] if days else []
    return Tier(
        step,
        keep,
        sum(not one.is_empty for one in mine),
        sum(one.size for one in mine),
        sum(one.rows for one in mine),
        sum(share * one.rows for share, one in grown),
        sum(share * one.size for share, one in grown if not one.is_empty),
        min((one.partition.lower for one in mine if not one.is_empty), default=None),
    )


def _written(now: int) -> Spans:
    """[first second that was pulled up to now, now) and the last days of it, by what was pulled."""
    firsts, recent = [], []
    for covered in Pull.objects.values_list("covered", flat=True):
        pieces = clip(covered, now - RECENT_S, now)
        if pieces:
            recent.append(pieces[0][0])
            firsts.append(covered[0][0])
    return (min(firsts, default=now), now), (min(recent, default=now), now)


def _share(one: Stored, spans: Spans) -> float:
    """What of a partition came during the last days."""
    whole, recent = (_overlap(one, span) for span in spans)
    return recent / whole if whole else 0.0


def _overlap(one: Stored, span: tuple[int, int]) -> int:
    return max(0, min(one.upper, span[1]) - max(one.lower, span[0]))


def full_on(lines: Sequence[Tier], limit: int, today: dt.date) -> dt.date | None:
    """The day on which the budget is reached, each tier growing until as much goes by age as comes; None if never."""
    if sum(max(line.size, line.settles_at) for line in lines) <= limit:
        return None
    for day in range(FAR_DAYS):
        if sum(_size_in(line, day) for line in lines) > limit:
            return today + dt.timedelta(days=day)
    return None


def _size_in(line: Tier, days: int) -> float:
    return min(line.size + line.bytes_per_day * days, max(line.size, line.settles_at))
