"""Groups that a monitor asks every node to keep whatever their rank: those that ranked high during the last hour.

A conversation may be spread over nodes and may fall out of one window's top N; asked for by name it stays a series
without holes. At most 2 N groups; looked up every few minutes, from the folded tier as far as there is one. A node's
own counters are few and have no rank: their limit holds them all, and nodes refuse a list of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import connection

from cstor.metrics.columns import column_of
from cstor.metrics.metric import Subject
from monitors.kinds.kind import subject_of
from monitors.models import Monitor
from monitors.models.group import GROUP_KEYS
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP, UTC, table_of

REFRESH_S = 300
LOOK_BACK_S = 3600
# The newest rows are not folded yet: of the base tier this much is looked at besides.
RECENT_S = 120
ADDRESSES = ("client_ip", "server_ip", "host")
# What groups are ranked by: the sums of bytes and of failures.
RANKED: dict[Subject, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "conversations": (
        ("bytes_client", "bytes_server"),
        ("refused", "unreachable", "unanswered", "half_open", "client_aborted"),
    ),
    "points": (("bytes",), ("drops",)),
}


def refresh(monitors: Sequence[Monitor], now: float) -> None:
    """Renew `keep` of the monitors whose list is old; the given objects are updated as well."""
    moment = dt.datetime.fromtimestamp(now, UTC)
    for monitor in monitors:
        fresh = monitor.keep_at is not None and moment - monitor.keep_at < dt.timedelta(seconds=REFRESH_S)
        if not fresh and any(key != "node" for key in monitor.keys) and subject_of(monitor.kind) in RANKED:
            monitor.keep, monitor.keep_at = _ranked(monitor, int(now)), moment
            # Not save(): this is no edit of the monitor.
            Monitor.objects.filter(pk=monitor.pk, revision=monitor.revision).update(keep=monitor.keep, keep_at=moment)


def _ranked(monitor: Monitor, now: int) -> list[dict[str, Any]]:
    """Keys of the groups with most bytes or failures, as the series query wants them."""
    keys = [key for key in monitor.keys if key in GROUP_KEYS]
    if "vni" in keys:
        keys.append("is_copy")  # nodes group a conversation and its copy apart
    subject = subject_of(monitor.kind)
    bytes_sum, failures = (
        " + ".join(f"coalesce({column_of(subject, name)}, 0)::numeric" for name in names) for names in RANKED[subject]
    )
    base = table_of(monitor.resolution)
    folded = table_of(60) if 60 in monitor.steps else base
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH rows AS (
              SELECT group_id, {bytes_sum} AS bytes, {failures} AS failures FROM {folded}
              WHERE monitor_id = %(monitor)s AND t >= to_timestamp(%(hour)s) AND t < to_timestamp(%(now)s)
              UNION ALL SELECT group_id, {bytes_sum}, {failures} FROM {base}
              WHERE monitor_id = %(monitor)s AND t >= to_timestamp(%(recent)s) AND t < to_timestamp(%(now)s)),
            sums AS (SELECT group_id, sum(bytes) AS bytes, sum(failures) AS failures FROM rows
              WHERE group_id NOT IN ({TOTAL_GROUP}, {OTHER_GROUP}) GROUP BY group_id),
            best AS ((SELECT group_id FROM sums ORDER BY bytes DESC LIMIT %(n)s) UNION
              (SELECT group_id FROM sums WHERE failures > 0 ORDER BY failures DESC LIMIT %(n)s))
            SELECT {", ".join(f"host(g.{key})" if key in ADDRESSES else f"g.{key}" for key in keys)}
            FROM best JOIN monitors_group g ON g.monitor_id = %(monitor)s AND g.id = best.group_id
            WHERE g.revision = %(revision)s ORDER BY g.id""",
            {
                "monitor": monitor.pk,
                "revision": monitor.revision,
                "hour": now - LOOK_BACK_S,
                "recent": now - RECENT_S,
                "now": now,
                "n": monitor.top_n,
            },
        )
        return [dict(zip(keys, row, strict=True)) for row in cursor.fetchall()]
