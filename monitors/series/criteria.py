"""A filter over the groups of several monitors, each of which keeps keys of its own: filter text -> SQL condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitors.models import Monitor
from monitors.series.definitions import Defined
from wire.filters.grammar import FilterError, parse
from wire.filters.sql import samples, where


class CannotAnswer(ValueError):
    """A question that these monitors keep no keys for; the message says what to do."""


def criteria_sql(filter_text: str, monitors: Sequence[Monitor]) -> tuple[str, dict[str, Any]]:
    """Condition on monitors_group `g` and its parameters; FilterError names the word that is wrong or not kept."""
    return revisions_sql(filter_text, [Defined(monitor, 0, None, None, monitor.definition()) for monitor in monitors])


def revisions_sql(filter_text: str, definitions: Sequence[Defined]) -> tuple[str, dict[str, Any]]:
    """The same over the groups of these definitions: each revision's own keys decide what a word means."""
    if not filter_text:
        return "TRUE", {}
    expression = parse(filter_text)
    by_keys: dict[tuple[str, ...], list[Defined]] = {}
    for one in definitions:
        by_keys.setdefault(one.keys, []).append(one)
    conditions: list[str] = []
    params: dict[str, Any] = {}
    for keys, same in by_keys.items():
        found = where(expression, samples(keys, same[0].monitor.name, "g"), filter_text)
        sql, name = _named(found.sql, found.parameters, params), len(conditions)
        params[f"m{name}"] = [one.monitor.pk for one in same]
        params[f"v{name}"] = [one.revision for one in same]
        pairs = f"SELECT * FROM unnest(%(m{name})s::int[], %(v{name})s::int[])"
        which = (
            f"(g.monitor_id, g.revision) IN ({pairs})"
            if any(params[f"v{name}"])
            else f"g.monitor_id = ANY(%(m{name})s)"
        )
        conditions.append(f"({which} AND {sql})")
    return " OR ".join(conditions), params


def answers(filter_text: str, one: Defined) -> bool:
    """Whether the groups of this definition have the keys that the filter is about."""
    if not filter_text:
        return True
    try:
        where(parse(filter_text), samples(one.keys, one.monitor.name, "g"), filter_text)
    except FilterError:
        return False
    return True


def _named(sql: str, values: Sequence[object], params: dict[str, Any]) -> str:
    """Placeholders get names, so that this condition can stand in a statement with others."""
    head, *rest = sql.split("%s")
    for value, text in zip(values, rest, strict=True):
        name = f"c{len(params)}"
        params[name] = value
        head += f"%({name})s{text}"
    return head
