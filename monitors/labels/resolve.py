"""Which labels a group has: resolved in SQL when it is first seen, and again in the background when labels change.

Samples hold numbers of groups only, so that history follows as soon as the groups do. Every change of labels raises
`LabelRevision.revision`; `follow` walks all groups in batches, writes those whose labels differ, and notes in
`resolved` how far it came. Killed, doubled or late it does no harm: it is done again from the start.

Whoever resolves the groups it has just inserted holds a shared advisory lock. The walk first takes that lock alone:
those who still read older labels have committed by then and are walked over, those who come later read the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

BATCH = 5_000
# Two advisory locks of this application: (number of the subject, which).
LOCK = 0x6C61_6265
READING, WALKING = 1, 2

GroupKey = tuple[int, int]

# A rule fits if all that it names is what the group keeps: where a monitor keeps no port, nothing that names one fits.
_SERVICE = """
  SELECT e.service_id FROM monitors_serviceendpoint e JOIN monitors_service l ON l.id = e.service_id
  WHERE e.network >>= coalesce(g.server_ip, g.server_net)
    AND (e.protocol IS NULL OR e.protocol = g.protocol)
    AND (e.port_from IS NULL OR g.server_port BETWEEN e.port_from AND e.port_to)
  ORDER BY masklen(e.network) DESC, (e.port_from IS NOT NULL) DESC, l.weight, l.id LIMIT 1"""
_LOCATION = """
  SELECT n.location_id FROM monitors_locationnetwork n JOIN monitors_location l ON l.id = n.location_id
  WHERE n.network >>= {address} ORDER BY masklen(n.network) DESC, l.weight, l.id LIMIT 1"""
_POINT = """
  SELECT l.id FROM monitors_point l
  WHERE (l.vni IS NULL OR l.vni = g.vni) AND (l.vlan IS NULL OR l.vlan = g.vlan)
    AND (l.node_id IS NULL OR l.node_id = alone.node_id) AND num_nonnulls(l.node_id, l.vni, l.vlan) > 0
  ORDER BY num_nonnulls(l.node_id, l.vni, l.vlan) DESC, l.weight, l.id LIMIT 1"""
_APPLICATION = """
  SELECT p.application_id FROM monitors_applicationport p JOIN monitors_application l ON l.id = p.application_id
  WHERE p.protocol = g.protocol AND g.server_port BETWEEN p.port_from AND p.port_to
  ORDER BY l.weight, l.id LIMIT 1"""
# Groups are of all nodes together: a point of one node is known where the monitor asks that node alone.
_ALONE = "SELECT monitor_id, min(node_id) AS node_id FROM monitors_target GROUP BY monitor_id HAVING count(*) = 1"

COLUMNS = {
    "service_id": _SERVICE,
    "client_location_id": _LOCATION.format(address="coalesce(g.client_ip, g.client_net, g.host)"),
    "server_location_id": _LOCATION.format(address="coalesce(g.server_ip, g.server_net, g.host)"),
    "point_id": _POINT,
    "application_id": _APPLICATION,
}


def _update(which: str) -> str:
    """Resolve the groups `g` that a condition selects; only rows whose labels differ are written."""
    found = ", ".join(f"({sql}) AS {name}" for name, sql in COLUMNS.items())
    old, new = (", ".join(f"{row}.{name}" for name in COLUMNS) for row in ("m", "n"))
    return f"""
        UPDATE monitors_group m SET {", ".join(f"{name} = n.{name}" for name in COLUMNS)},
          labels_revision = coalesce((SELECT max(revision) FROM monitors_labelrevision), 0)
        FROM (SELECT g.monitor_id, g.id, {found}
              FROM monitors_group g LEFT JOIN ({_ALONE}) alone ON alone.monitor_id = g.monitor_id
              WHERE {which}) n
        WHERE m.monitor_id = n.monitor_id AND m.id = n.id AND ({old}) IS DISTINCT FROM ({new})"""


_OF_KEYS = _update("(g.monitor_id, g.id) IN (SELECT * FROM unnest(%s::int[], %s::bigint[]))")
_OF_RANGE = _update("(g.monitor_id, g.id) > (%s, %s) AND (g.monitor_id, g.id) <= (%s, %s)")


def first_seen(cursor: Any, keys: Sequence[GroupKey]) -> None:
    """Resolve groups in the transaction that inserted them."""
    if keys:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [LOCK, READING])
        cursor.execute(_OF_KEYS, [[monitor for monitor, _ in keys], [number for _, number in keys]])


def raise_revision() -> None:
    """Say that labels have changed, in the transaction that changed them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO monitors_labelrevision AS r (id, revision, resolved) VALUES (1, 2, 0)"
            " ON CONFLICT (id) DO UPDATE SET revision = r.revision + 1"
        )


def follow(batch: int = BATCH) -> int | None:
    """Resolve all groups if labels have changed since that was last done; the number of groups that changed.

    None where someone else is at it. Each batch is a transaction of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT revision FROM monitors_labelrevision WHERE revision > resolved")
        row = cursor.fetchone()
    if row is None:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, READING])
    changed, last = 0, (-(2**31), 0)
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK, WALKING])
            if not cursor.fetchone()[0]:
                return None
            upper = _end_of_batch(cursor, last, batch)
            if upper is None:
                cursor.execute("UPDATE monitors_labelrevision SET resolved = %s WHERE resolved < %s", [row[0], row[0]])
                return changed
            cursor.execute(_OF_RANGE, [*last, *upper])
            changed, last = changed + cursor.rowcount, upper


def _end_of_batch(cursor: Any, after: GroupKey, batch: int) -> GroupKey | None:
    cursor.execute(
        "SELECT monitor_id, id FROM (SELECT monitor_id, id FROM monitors_group WHERE (monitor_id, id) > (%s, %s)"
        " ORDER BY monitor_id, id LIMIT %s) b ORDER BY monitor_id DESC, id DESC LIMIT 1",
        [*after, batch],
    )
    row = cursor.fetchone()
    return None if row is None else (row[0], row[1])


def is_following() -> bool:
    """Whether a change of labels has not reached all groups yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM monitors_labelrevision WHERE revision > resolved)")
        return bool(cursor.fetchone()[0])
