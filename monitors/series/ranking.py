"""Which groups a by-group question is about: those that match a filter, folded by its keys, the largest first.

Ranks are sums over the range, added up on the coarsest tier that is clean, where an index holds the dozen sums that
one ranks by. That totals and `other` are no groups stands here and in `sums.py`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from cstor.metrics.columns import BASES
from monitors.models import Monitor
from monitors.models.group import GROUP_KEYS
from monitors.series.criteria import CannotAnswer, answers, revisions_sql
from monitors.series.definitions import Defined
from monitors.series.label_keys import LABEL_KEYS, folding, name_expression
from monitors.series.packed import moment
from monitors.series.slices import Slice
from monitors.series.sums import largest, select
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP, table_of

# A network follows from an address: such a key is answered although the monitor keeps only the address.
DERIVED = {"client_net": "client_ip", "server_net": "server_ip"}
ADDRESSES = ("client_ip", "server_ip", "host")
NETWORKS = ("client_net", "server_net")


@dataclass(frozen=True)
class Ranked:
    """One group of the answer: its keys, and the (monitor, group id) pairs that it is made of. `since` and
    `until` bound the definition that they belong to: 0 from the beginning, None until now."""

    keys: dict[str, Any]
    members: tuple[tuple[int, int], ...]
    rank: float
    until: int | None = None
    since: int = 0


class Spelt(NamedTuple):
    """SQL of one key of a group `g`: what is told, and what groups are folded by."""

    shown: str
    folded: str


def rank(
    definitions: Sequence[Defined],
    by: Sequence[str],
    filter_text: str,
    slices: Mapping[tuple[int, ...], Sequence[Slice]],
    order: Sequence[str],
    limit: int,
    node_ids: Sequence[int] = (),
) -> list[Ranked]:
    """The `limit` groups with the greatest sum of `order`; `slices` are given per set of monitor ids. The two sides of
    a change of definition are groups of their own."""
    if not any(slices.values()):
        return []
    answering = answering_definitions(definitions, by, filter_text)
    condition, params = revisions_sql(filter_text, answering)
    if not filter_text and len(answering) == len(definitions) and _is_unfolded(definitions, by):
        # Each group stands for itself: only those that come first need to be looked up.
        sums = _largest(slices, _checked(order), limit, params, node_ids)
    else:
        sums = _sums(slices, _checked(order), params, node_ids)
    # Copies are counted only where the VNI is asked for (METRICS: both ends mirrored).
    if not {"vni", "is_copy"} & set(by) and "vni" not in filter_text:
        condition = f"({condition}) AND g.is_copy IS NOT TRUE"
    names = [key for key in by if key not in ("monitor", "node")]
    spelt = {key: key_expression(key, answering) for key in names}
    if "monitor" in by:
        spelt["monitor"] = Spelt("g.monitor_id", "g.monitor_id")
    sql = f"""
        SELECT {"".join(f"{one.shown}, " for one in spelt.values())}
               array_agg(g.monitor_id), array_agg(g.id), sum(r.rank), allowed.until,
               min(allowed.since)
        FROM ({sums}) r
        JOIN monitors_group g ON g.monitor_id = r.monitor_id AND g.id = r.group_id
        JOIN unnest(%(r_monitor)s::int[], %(r_revision)s::int[], %(r_until)s::bigint[],
                    %(r_since)s::bigint[]) AS allowed(monitor_id, revision, until, since)
             ON allowed.monitor_id = g.monitor_id AND allowed.revision = g.revision
        WHERE {condition}
        GROUP BY {"".join(f"{one.folded}, " for one in spelt.values())} allowed.until
        ORDER BY sum(r.rank) DESC, min(g.id) LIMIT {int(limit)}"""
    params |= {"r_monitor": [one.monitor.pk for one in answering], "r_revision": [one.revision for one in answering]}
    params |= {"r_until": [one.until for one in answering], "r_since": [one.since or 0 for one in answering]}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    return [
        Ranked(
            dict(zip(spelt, row, strict=False)), tuple(zip(monitor_ids, ids, strict=True)), float(ranked), until, since
        )
        for *row, monitor_ids, ids, ranked, until, since in rows
    ]


def _checked(order: Sequence[str]) -> Sequence[str]:
    for key in order:
        if BASES[key].kind != "sum":
            raise ValueError(f"{key} is no sum: groups are not ranked by it")
    return order


def _largest(
    slices: Mapping[tuple[int, ...], Sequence[Slice]],
    order: Sequence[str],
    limit: int,
    params: dict[str, Any],
    node_ids: Sequence[int],
) -> str:
    """The groups that come first, with their ranks, as rows. Fills in the parameters it names."""
    found = largest(slices, order, limit, node_ids)
    params |= {"l_monitor": found.monitors.tolist(), "l_group": found.groups.tolist(), "l_rank": found.sums.tolist()}
    columns = "%(l_monitor)s::int[], %(l_group)s::bigint[], %(l_rank)s::float8[]"
    return f"SELECT * FROM unnest({columns}) AS l(monitor_id, group_id, rank)"


def _sums(
    slices: Mapping[tuple[int, ...], Sequence[Slice]],
    order: Sequence[str],
    params: dict[str, Any],
    node_ids: Sequence[int],
) -> str:
    """The rank of each group id: its sums over all slices. Fills in the parameters it names."""
    params["nodes"] = list(node_ids)
    selects = []
    for n, (ids, piece) in enumerate((ids, piece) for ids, pieces in slices.items() for piece in pieces):
        params |= {f"start{n}": moment(piece.start), f"end{n}": moment(piece.end), f"ids{n}": list(ids)}
        nodes = "%(nodes)s" if node_ids else ""
        selects.append(select(table_of(piece.tier), order, f"%(ids{n})s", f"%(start{n})s", f"%(end{n})s", nodes))
    # Asked of the sums, not of each row: there are thirty times fewer.
    return f"""SELECT monitor_id, group_id, sum(rank) AS rank FROM ({" UNION ALL ".join(selects)}) s GROUP BY 1, 2
        HAVING group_id NOT IN ({TOTAL_GROUP}, {OTHER_GROUP})"""


def answering_definitions(definitions: Sequence[Defined], by: Sequence[str], filter_text: str) -> list[Defined]:
    """The definitions whose groups carry the keys asked for; CannotAnswer if a present one does not."""
    wanted = [key for key in by if key not in ("monitor", "node")]
    for one in definitions:
        for key in wanted:
            if one.until is None and not keeps(one.keys, key):
                raise CannotAnswer(_not_kept(one.monitor, key))
    return [
        one
        for one in definitions
        if one.until is None or (all(keeps(one.keys, key) for key in wanted) and answers(filter_text, one))
    ]


def _is_unfolded(definitions: Sequence[Defined], by: Sequence[str]) -> bool:
    """Whether no two groups of a definition, nor of two monitors, are one group of the answer."""
    if any(key in LABEL_KEYS for key in by):
        return False
    told = {"monitor"} if len({one.monitor.pk for one in definitions}) > 1 else set()
    for one in definitions:
        told |= {key for key in one.keys if key != "node"} | ({"is_copy"} if "vni" in one.keys else set())
    return told <= set(by)


def _not_kept(monitor: Monitor, key: str) -> str:
    kept = ", ".join(monitor.keys) or "no keys"
    if key in LABEL_KEYS:
        wanted = " or ".join(LABEL_KEYS[key].needs)
        return f'monitor "{monitor.name}" keeps nothing that tells its {key} (it keeps {kept}); let it keep {wanted}'
    return f'monitor "{monitor.name}" does not keep {key} (it keeps {kept}); group it by {key}'


def keeps(keys: Sequence[str], key: str) -> bool:
    if key in LABEL_KEYS:
        needs = LABEL_KEYS[key].needs
        return not needs or any(needed in keys for needed in needs)
    return key in keys or DERIVED.get(key) in keys or (key == "is_copy" and "vni" in keys)


def key_expression(key: str, definitions: Sequence[Defined]) -> Spelt:
    """SQL of one key of a group; a network out of the address where only that is kept."""
    if key in LABEL_KEYS:
        return Spelt(name_expression(key), folding(key))
    if key not in GROUP_KEYS:
        raise CannotAnswer(f"groups have no key {key}")
    if key in DERIVED and not all(key in one.keys for one in definitions):
        address = f"g.{DERIVED[key]}"
        network = f"network(set_masklen({address}, CASE family({address}) WHEN 4 THEN 24 ELSE 64 END))"
        network = f"coalesce(g.{key}, {network})"
        return Spelt(f"{network}::text", network)
    shown = f"host(g.{key})" if key in ADDRESSES else f"g.{key}::text" if key in NETWORKS else f"g.{key}"
    return Spelt(shown, f"g.{key}")
