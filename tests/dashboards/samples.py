"""Sample rows for tests, out of raw values: what a pull would have written, group by group, with the totals.

The raw values stay at hand, so that a test can compare what the console says with NumPy on what was put in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection
from django.utils import timezone
from psycopg2.extras import execute_values

from cstor.metrics.columns import BASES
from cstor.metrics.histogram import bin_of, pack
from monitors.fields import to_multirange
from monitors.models import Group, Monitor, Node, Observed, Pull
from monitors.series import partitions
from monitors.series.groups import group_id
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP, run_of, table_of, tiers_of
from monitors.series.write import enqueue

Keys = dict[str, Any] | None
OTHER: dict[str, Any] = {"other": True}


class Samples:
    """Collects rows of one monitor; `write` stores them in its base tier and marks the runs to be rolled up."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.sums: dict[tuple[int, int, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.times: dict[tuple[int, int, int], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.groups: dict[int, dict[str, Any]] = {}
        self.ids: dict[tuple[Any, ...], int] = {}

    def put(self, t: int, node: Node, keys: Keys, sums: dict[str, int], **timings: Iterable[int]) -> None:
        """One conversation's bucket: counters, and nanoseconds per timing. The total gets the same."""
        for group in (TOTAL_GROUP, self._group(keys)):
            place = (group, t // self.monitor.resolution * self.monitor.resolution, node.pk)
            for name, value in sums.items():
                self.sums[place][name] += value
            for name, values in timings.items():
                self.times[place][name] += list(values)
            self.sums[place]["packets_client"] += 0

    def _group(self, keys: Keys) -> int:
        if keys is OTHER or keys is None:
            return OTHER_GROUP
        canonical = tuple(sorted(keys.items()))
        if canonical not in self.ids:
            number = group_id(self.monitor.revision, tuple((key, keys.get(key)) for key in self.monitor.keys))
            self.ids[canonical] = number
            self.groups[number] = keys
        return self.ids[canonical]

    def write(self) -> None:
        step = self.monitor.resolution
        partitions.ensure(step, {t for _, t, _ in self.sums})
        Group.objects.bulk_create(
            [
                Group(
                    monitor_id=self.monitor.pk,
                    id=number,
                    revision=self.monitor.revision,
                    first_seen=timezone.now(),
                    **keys,
                )
                for number, keys in self.groups.items()
            ],
            ignore_conflicts=True,
        )
        used = sorted({name for row in self.sums.values() for name in row} | _parts_of(self.times))
        columns = ["monitor_id", "group_id", "t", "node_id", *used]
        rows = [self._row(place, used) for place in self.sums]
        with connection.cursor() as cursor:
            sql = f"INSERT INTO {table_of(step)} ({', '.join(columns)}) VALUES %s"
            execute_values(cursor.cursor, sql, rows, page_size=1000)
            tiers = tiers_of(step)[1:]
            enqueue(cursor, {(self.monitor.pk, tier, run_of(tier, t)) for _, t, _ in self.sums for tier in tiers}, 0)
        self.sums.clear()
        self.times.clear()

    def _row(self, place: tuple[int, int, int], used: list[str]) -> tuple[Any, ...]:
        group, t, node = place
        values: dict[str, Any] = {name: value or None for name, value in self.sums[place].items()}
        for name, durations in self.times[place].items():
            if durations:
                bins, counts = np.unique(bin_of(np.array(durations)), return_counts=True)
                values |= {name: pack(bins, counts), f"{name}_count": len(durations), f"{name}_sum": sum(durations)}
                values |= {f"{name}_min": min(durations), f"{name}_max": max(durations)}
        return (self.monitor.pk, group, datetime.fromtimestamp(t, UTC), node, *(values.get(name) for name in used))


def _parts_of(times: dict[Any, dict[str, list[int]]]) -> set[str]:
    names = {name for row in times.values() for name, values in row.items() if values}
    return {part for name in names for part in (name, *(f"{name}_{end}" for end in ("count", "sum", "min", "max")))}


def cover(
    monitor: Monitor, node: Node, *spans: tuple[int, int], observed: Iterable[tuple[int, int]] | None = None
) -> None:
    """Say that these seconds were fetched from the node, and (unless told otherwise) captured by it."""
    Pull.objects.update_or_create(
        monitor=monitor, node=node, defaults={"covered": tuple(spans), "next_run": timezone.now()}
    )
    seen = tuple(spans if observed is None else observed)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO monitors_observed AS o (node_id, observed) VALUES (%s, %s::int8multirange)"
            " ON CONFLICT (node_id) DO UPDATE SET observed = o.observed + excluded.observed",
            [node.pk, to_multirange(seen)],
        )


__all__ = ["BASES", "OTHER", "Observed", "Samples", "cover"]
