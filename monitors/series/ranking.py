"""Which groups a by-group question is about: those that match a filter, folded by its keys, the largest first.

Ranks are sums over the range, added up on the coarsest tier that is clean, where an index holds the dozen sums that
one ranks by. `group_id <> 0` and `<> 1` stand here and nowhere else: totals and `other` are no groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from cstor.metrics.columns import BASES
from monitors.models import Definition, Monitor
from monitors.models.group import GROUP_KEYS
from monitors.series.criteria import CannotAnswer, criteria_sql
from monitors.series.label_keys import LABEL_KEYS, name_expression
from monitors.series.packed import moment
from monitors.series.slices import Slice
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP, table_of

# A network follows from an address: such a key is answered although the monitor keeps only the address.
DERIVED = {"client_net": "client_ip", "server_net": "server_ip"}
TEXT = ("client_ip", "server_ip", "host", "client_net", "server_net")


@dataclass(frozen=True)
class Ranked:
    """One group of the answer: its keys, and the (monitor, group id) pairs that it is made of."""

    keys: dict[str, Any]
    members: tuple[tuple[int, int], ...]
    rank: float


def rank(
    monitors: Sequence[Monitor],
    by: Sequence[str],
    filter_text: str,
    slices: Mapping[tuple[int, ...], Sequence[Slice]],
    order: Sequence[str],
    limit: int,
    node_ids: Sequence[int] = (),
) -> list[Ranked]:
    """The `limit` groups with the greatest sum of `order`; `slices` are given per set of monitor ids."""
    if not any(slices.values()):
        return []
    revisions = answering_revisions(monitors, by)
    condition, params = criteria_sql(filter_text, monitors)
    keys = [key for key in by if key not in ("monitor", "node")]
    named = {key: key_expression(key, monitors) for key in keys}
    if "monitor" in by:
        named["monitor"] = "g.monitor_id"
    # Copies are counted only where the VNI is asked for (METRICS: both ends mirrored).
    if not {"vni", "is_copy"} & set(by) and "vni" not in filter_text:
        condition = f"({condition}) AND g.is_copy IS NOT TRUE"
    sql = f"""
        SELECT {"".join(f"{expression}, " for expression in named.values())}
               array_agg(g.monitor_id), array_agg(g.id), sum(r.rank)
        FROM ({_sums(slices, order, params, node_ids)}) r
        JOIN monitors_group g ON g.monitor_id = r.monitor_id AND g.id = r.group_id
        JOIN unnest(%(r_monitor)s::int[], %(r_revision)s::int[]) AS allowed(monitor_id, revision)
             ON allowed.monitor_id = g.monitor_id AND allowed.revision = g.revision
        WHERE {condition}
        {"GROUP BY " + ", ".join(str(n + 1) for n in range(len(named))) if named else "HAVING count(*) > 0"}
        ORDER BY sum(r.rank) DESC NULLS LAST, min(g.id) LIMIT {int(limit)}"""
    params |= {"r_monitor": [pair[0] for pair in revisions], "r_revision": [pair[1] for pair in revisions]}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    return [
        Ranked(dict(zip(named, row, strict=False)), tuple(zip(row[-3], row[-2], strict=True)), float(row[-1] or 0))
        for row in rows
    ]


def _sums(
    slices: Mapping[tuple[int, ...], Sequence[Slice]],
    order: Sequence[str],
    params: dict[str, Any],
    node_ids: Sequence[int],
) -> str:
    """The rank of each group id: its sums over all slices. Fills in the parameters it names."""
    for key in order:
        if BASES[key].kind != "sum":
            raise ValueError(f"{key} is no sum: groups are not ranked by it")
    ranked = " + ".join(f"coalesce({key}, 0)" for key in order) or "0"
    nodes = "AND node_id = ANY(%(nodes)s)" if node_ids else ""
    params["nodes"] = list(node_ids)
    selects = []
    for number, (ids, piece) in enumerate((ids, piece) for ids, pieces in slices.items() for piece in pieces):
        params |= {f"start{number}": moment(piece.start), f"end{number}": moment(piece.end)}
        params[f"ids{number}"] = list(ids)
        selects.append(f"""
            SELECT monitor_id, group_id, {ranked} AS rank FROM {table_of(piece.tier)}
            WHERE monitor_id = ANY(%(ids{number})s) AND group_id NOT IN ({TOTAL_GROUP}, {OTHER_GROUP})
              AND t >= %(start{number})s AND t < %(end{number})s {nodes}""")
    return f"SELECT monitor_id, group_id, sum(rank) AS rank FROM ({' UNION ALL '.join(selects)}) s GROUP BY 1, 2"


def answering_revisions(monitors: Sequence[Monitor], by: Sequence[str]) -> list[tuple[int, int]]:
    """(monitor, revision) pairs whose groups carry the keys asked for; CannotAnswer if the present one does not."""
    wanted = [key for key in by if key not in ("monitor", "node")]
    for monitor in monitors:
        for key in wanted:
            if not keeps(monitor.keys, key):
                raise CannotAnswer(_not_kept(monitor, key))
    pairs = [(monitor.pk, monitor.revision) for monitor in monitors]
    older = Definition.objects.filter(monitor__in=[monitor.pk for monitor in monitors])
    for definition in older:
        if all(keeps(definition.definition.get("keys", ()), key) for key in wanted):
            pairs.append((definition.monitor_id, definition.revision))
    return sorted(set(pairs))


def _not_kept(monitor: Monitor, key: str) -> str:
    kept = ", ".join(monitor.keys) or "no keys"
    if key in LABEL_KEYS:
        wanted = " or ".join(LABEL_KEYS[key].needs)
        return f'monitor "{monitor.name}" keeps nothing that tells its {key} (it keeps {kept}); let it keep {wanted}'
    return f'monitor "{monitor.name}" does not keep {key} (it keeps {kept}); group it by {key}'


def keeps(keys: Sequence[str], key: str) -> bool:
    if key in LABEL_KEYS:
        return any(needed in keys for needed in LABEL_KEYS[key].needs)
    return key in keys or DERIVED.get(key) in keys or (key == "is_copy" and "vni" in keys)


def key_expression(key: str, monitors: Sequence[Monitor]) -> str:
    """SQL of one key of a group; a network out of the address where only that is kept."""
    if key in LABEL_KEYS:
        return name_expression(key)
    if key not in GROUP_KEYS:
        raise CannotAnswer(f"groups have no key {key}")
    if key in DERIVED and not all(key in monitor.keys for monitor in monitors):
        address = f"g.{DERIVED[key]}"
        network = f"network(set_masklen({address}, CASE family({address}) WHEN 4 THEN 24 ELSE 64 END))"
        return f"coalesce(g.{key}, {network})::text"
    if key in TEXT:
        return f"host(g.{key})" if not key.endswith("_net") else f"g.{key}::text"
    return f"g.{key}"
