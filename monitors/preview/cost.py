"""What rows cost: rows of the finest step per minute -> rows and bytes a day, tier by tier."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from monitors.series.tiers import DAY_S, table_of

# Bytes of a row with its index, until enough rows are here to measure: a row of short conversations has 416 bytes, of
# nine histograms with five bins 820, with twelve bins 1,027, and 63 more in the primary key (docs/monitors.md).
TYPICAL_BYTES = {1: 480, 10: 480, 60: 880, 600: 1090, 3600: 1090, 86_400: 1090}
ENOUGH_ROWS = 20_000
MEASURED_FOR_S = 600
MINUTE_S = 60

_measured: dict[int, tuple[float, float | None]] = {}


@dataclass(frozen=True)
class TierCost:
    """One step a day."""

    step: int
    rows: float
    bytes: float


@dataclass(frozen=True)
class Cost:
    """All steps that a monitor keeps, finest first; `measured` where its row size is that of rows that are here."""

    tiers: tuple[TierCost, ...]
    measured: bool

    @property
    def bytes_per_day(self) -> float:
        return sum(tier.bytes for tier in self.tiers)

    @property
    def rows_per_day(self) -> float:
        return sum(tier.rows for tier in self.tiers)

    @property
    def finest_share(self) -> int:
        """Percent of the bytes that the finest step takes."""
        return round(100 * self.tiers[0].bytes / self.bytes_per_day) if self.bytes_per_day else 0


def estimate(rows_per_minute: float, groups: float, resolution: int, steps: Sequence[int]) -> Cost:
    """The cost of so many rows of the finest step a minute, in which so many groups appear.

    Above the finest step a bucket has a row per group that was seen in it: at least those of a minute, at most one for
    each row below. Longer buckets have more groups than a minute; what is told is the least.
    """
    per_bucket = {resolution: rows_per_minute * resolution / MINUTE_S}
    for step in sorted(step for step in steps if step > resolution):
        per_bucket[step] = min(groups, rows_per_minute * step / MINUTE_S)
    sizes = {step: row_bytes(step) for step in per_bucket}
    tiers = tuple(
        TierCost(step, rows * DAY_S / step, rows * DAY_S / step * (sizes[step] or TYPICAL_BYTES[step]))
        for step, rows in per_bucket.items()
    )
    return Cost(tiers, sizes[resolution] is not None)


def row_bytes(step: int) -> float | None:
    """Bytes per row with indexes of this tier, as the database's own statistics say; None where there are too few."""
    known = _measured.get(step)
    if known is None or known[0] < time.monotonic():
        known = time.monotonic() + MEASURED_FOR_S, _measure(step)
        _measured[step] = known
    return known[1]


def _measure(step: int) -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(c.reltuples), 0), coalesce(sum(pg_total_relation_size(c.oid)), 0)"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(%s) AND c.relkind = 'r' AND c.reltuples > 0",
            [table_of(step)],
        )
        rows, size = map(float, cursor.fetchone())
    return size / rows if rows >= ENOUGH_ROWS else None
