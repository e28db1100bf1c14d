"""Make-believe samples, written by SQL on the server: one monitor to look at, and as many others as the rows need.

The monitor in question knows 5,000 conversations; twenty are there in every step, of the others some hundred at a
time, as a top N leaves them. The other monitors keep 100 groups each. Rows lie as roll-ups write them: run after run,
in each the monitors one after the other, each by group and time. `NOW` is in the middle of runs, so that the newest
part has to come from finer tiers, as it does in life.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection
from django.utils import timezone
from psycopg2.extras import execute_values

from cstor.metrics.histogram import bin_of, pack
from monitors.fields import to_multirange
from monitors.models import Group, Monitor, Node, Pull, Rollup
from monitors.series import partitions
from monitors.series.groups import group_id
from monitors.series.tiers import DAY_S, OTHER_GROUP, RUN_S, STEPS, TOTAL_GROUP, run_of, table_of

NOW = int(datetime(2026, 1, 15, 14, 7, tzinfo=UTC).timestamp())
DAYS = 31
NODES = 4
CONVERSATIONS = 5000
STEADY = 20
OTHERS_KEEP = 100
TIERS = (10, 60, 600, 3600, 86_400)
# Histograms that are there, and of how many values: what a conversation has in a step of that length.
TIMED = (
    *("handshake_rtt_server", "handshake_rtt_client", "handshake_rtt", "connect_time"),
    *("ack_rtt_server", "ack_rtt_client", "response_time", "response_transfer"),
)
VALUES = {10: 5, 60: 14, 600: 30, 3600: 60, 86_400: 150}
POOL = 512
SUMS = {  # SQL of each counter, of the group's weight `g.weight` and a number per row `x`
    "bytes_client": "g.weight * (500 + mod(x, 1000))",
    "bytes_server": "g.weight * (5000 + mod(x, 9000))",
    "payload_bytes_client": "g.weight * (400 + mod(x, 1000))",
    "payload_bytes_server": "g.weight * (4500 + mod(x, 9000))",
    "packets_client": "g.weight * 9",
    "packets_server": "g.weight * 12",
    "data_packets_client": "g.weight * 5",
    "data_packets_server": "g.weight * 9",
    "retransmissions_server": "nullif(mod(x, 7), 0)",
    "retransmitted_bytes_server": "nullif(mod(x, 7), 0) * 1400",
    "duplicate_acks_client": "nullif(mod(x, 5), 0)",
    "out_of_order_server": "nullif(mod(x, 3), 0)",
    "attempts": "20 + mod(x, 9)",
    "syns": "20 + mod(x, 9)",
    "syn_acks": "20 + mod(x, 9)",
    "established": "20 + mod(x, 8)",
    "refused": "nullif(mod(x, 2), 0)",
    "closed": "19 + mod(x, 8)",
    "fins_client": "19 + mod(x, 8)",
    "fins_server": "19 + mod(x, 8)",
    "flow_seconds": "60 + mod(x, 100)",
    "active_seconds": "60 + mod(x, 100)",
    "burst_bytes": "90000 + x",
    "max_packet_bytes_client": "1500",
    "max_packet_bytes_server": "1500",
    "min_window_bytes_client": "64000 + x",
    "min_window_bytes_server": "64000 + x",
}


def spans() -> dict[int, tuple[int, int]]:
    """[start, end) of what each tier holds at NOW: a tier ends where its unfinished run begins."""
    starts = {10: NOW - 1200, 60: NOW - DAY_S - 3600, 600: NOW - DAY_S - 3600, 3600: NOW - DAYS * DAY_S}
    starts[86_400] = starts[3600]
    return {step: (_run_of(step, starts[step]), _run_of(step, NOW) if step > 10 else NOW) for step in TIERS}


def shares(step: int, start: int) -> int:
    """How many of the 5,000 conversations are there in a step, besides the steady ones; all over an hour of the last
    day, a few hundred of one long ago, that a ROWS of a million still holds them."""
    if step == 86_400 or (step == 3600 and start >= NOW - DAY_S - 7200):
        return CONVERSATIONS
    return {10: 140, 60: 140, 600: 400, 3600: 220}[step]


def own_rows() -> int:
    """About how many rows the monitor in question has: ROWS cannot be less."""
    span, total = spans(), 0
    for step in TIERS:
        for low in range(*span[step], step):
            total += min(CONVERSATIONS, shares(step, low) + STEADY) + NODES + 1
    return total


def other_rows() -> int:
    """Rows of each of the other monitors."""
    return sum((high - low) // step * (OTHERS_KEEP + NODES + 1) for step, (low, high) in spans().items())


class Made:
    """Monitors, nodes and groups of a database; `fill` replaces all samples."""

    def __init__(self) -> None:
        self.nodes = [Node.objects.create(name=f"cstor-{n}", url=f"http://127.0.0.1:{n}") for n in range(1, NODES + 1)]
        with connection.cursor() as cursor:
            _make_pool(cursor)
            cursor.execute(
                "CREATE UNLOGGED TABLE bench_group"
                " (monitor_id int, id bigint, node int, weight int, steady bool, n int)"
            )
        self.monitors: list[Monitor] = []
        self._add(CONVERSATIONS)

    @property
    def monitor(self) -> Monitor:
        return self.monitors[0]

    def fill(self, rows: int) -> None:
        """Samples of about so many rows."""
        while own_rows() + (len(self.monitors) - 1) * other_rows() < rows - other_rows() / 2:
            self._add(OTHERS_KEEP)
        with connection.cursor() as cursor:
            for step in STEPS:
                cursor.execute(f"TRUNCATE {table_of(step)}")
            for step, (start, end) in spans().items():
                for low, high in _runs(step, start, end):
                    partitions.ensure(step, (low, high - 1))
                    _insert(cursor, step, low, high)
            cursor.execute("VACUUM (ANALYZE)")

    def _add(self, groups: int) -> None:
        monitor = Monitor.objects.create(name=f"Monitor {len(self.monitors) + 1}", resolution=10)
        monitor.nodes.set(self.nodes)
        self.monitors.append(monitor)
        start = spans()[3600][0]
        now = timezone.now()
        for node in self.nodes:
            Pull.objects.create(monitor=monitor, node=node, covered=((start, NOW),), next_run=now)
        waiting = [(step, run_of(step, NOW)) for step in RUN_S]
        Rollup.objects.bulk_create(Rollup(monitor_id=monitor.pk, step=step, run=run, due=now) for step, run in waiting)
        found = [_group(monitor, n) for n in range(groups)]
        Group.objects.bulk_create(found)
        rows = [
            (monitor.pk, group.id, self.nodes[n % NODES].pk, 1 + groups * 10 // (n + 1), n < STEADY, n)
            for n, group in enumerate(found)
        ]
        rows += [(monitor.pk, TOTAL_GROUP, node.pk, groups * 20, True, 0) for node in self.nodes]
        rows.append((monitor.pk, OTHER_GROUP, self.nodes[0].pk, groups, True, 0))
        if groups <= OTHERS_KEEP:
            rows = [(*row[:4], True, row[5]) for row in rows]
        with connection.cursor() as cursor:
            execute_values(cursor.cursor, "INSERT INTO bench_group VALUES %s", rows, page_size=1000)
            cursor.execute(
                "INSERT INTO monitors_observed SELECT id, %s::int8multirange FROM monitors_node ON CONFLICT DO NOTHING",
                [to_multirange(((start, NOW),))],
            )
            cursor.execute("ANALYZE bench_group")


def _group(monitor: Monitor, n: int) -> Group:
    keys = {
        "client_ip": f"10.{n // 2500}.{n // 250 % 10}.{n % 250 + 1}",
        "server_ip": f"10.200.0.{n % 40 + 1}",
        "server_port": (443, 80, 5432, 6379)[n % 4],
        "protocol": 6,
    }
    number = group_id(monitor.revision, tuple(keys.items()))
    return Group(monitor_id=monitor.pk, id=number, revision=monitor.revision, first_seen=timezone.now(), **keys)


def _make_pool(cursor: Any) -> None:
    """Histograms to take rows' from: log-normal timings, so that bins lie as they do in life."""
    columns = ", ".join(
        f"{key} bytea, {key}_count int, {key}_sum bigint, {key}_min int, {key}_max int" for key in TIMED
    )
    cursor.execute(f"CREATE UNLOGGED TABLE bench_pool (step int, x int, {columns})")
    random = np.random.default_rng(1)
    for step, count in VALUES.items():
        rows = [(step, x, *(cell for n in range(len(TIMED)) for cell in _cells(random, n, count))) for x in range(POOL)]
        execute_values(cursor.cursor, "INSERT INTO bench_pool VALUES %s", rows)
    cursor.execute("ANALYZE bench_pool")


def _cells(random: np.random.Generator, n: int, count: int) -> Sequence[Any]:
    values = random.lognormal(np.log(2e6 * (n + 1)), 0.4, count).astype(np.int64)
    bins, counts = np.unique(bin_of(values), return_counts=True)
    return pack(bins, counts), count, int(values.sum()), int(values.min()), int(values.max())


def _runs(step: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What is written at once: a tier's run; of the base tier a minute, as pulls bring it."""
    size = RUN_S.get(step, 60)
    for low in range(start, end, size):
        yield low, min(low + size, end)


def _run_of(step: int, t: int) -> int:
    return run_of(step, t) if step in RUN_S else t // 60 * 60


def _insert(cursor: Any, step: int, low: int, high: int) -> None:
    """All rows of a run. A row's number `x` decides what it counts and which histograms it takes."""
    timed = [f"{key}{end}" for key in TIMED for end in ("", "_count", "_sum", "_min", "_max")]
    node = "g.node" if step == TIERS[0] else f"CASE WHEN g.id = {TOTAL_GROUP} THEN g.node ELSE 0 END"
    cursor.execute(
        # Sorted while rows are narrow; the pool is hashed, which keeps their order.
        f"""INSERT INTO {table_of(step)} (monitor_id, group_id, t, node_id, {", ".join((*SUMS, *timed))})
        SELECT g.monitor_id, g.id, to_timestamp(s), {node}, {", ".join((*SUMS.values(), *timed))}
        FROM (SELECT g.*, s, mod(g.n * 31 + s / {step} * 17, {POOL})::int AS x
              FROM bench_group g, generate_series(%(low)s::bigint, %(high)s - 1, {step}) s
              WHERE g.steady OR mod(g.n * 7919 + s / {step} * 104729, {CONVERSATIONS}) < %(share)s
              ORDER BY monitor_id, id, s, node) g
        JOIN (SELECT * FROM bench_pool WHERE step = {step}) p USING (x)""",
        {"low": low, "high": high, "share": shares(step, low)},
    )


def sizes() -> tuple[int, int]:
    """(rows, bytes with indexes) of all samples; rows as VACUUM counted them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT coalesce(sum(c.reltuples), 0)::bigint, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
            FROM pg_class p JOIN pg_inherits i ON i.inhparent = p.oid JOIN pg_class c ON c.oid = i.inhrelid
            WHERE p.relname = ANY(%s)""",
            [[table_of(step) for step in STEPS]],
        )
        rows, size = cursor.fetchone()
    return int(rows), int(size)
