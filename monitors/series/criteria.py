"""A filter over the groups of several monitors, each of which keeps keys of its own: filter text -> SQL condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitors.models import Monitor
from wire.filters.grammar import parse
from wire.filters.sql import samples, where


class CannotAnswer(ValueError):
    """A question that these monitors keep no keys for; the message says what to do."""


def criteria_sql(filter_text: str, monitors: Sequence[Monitor]) -> tuple[str, dict[str, Any]]:
    """Condition on monitors_group `g` and its parameters; FilterError names the word that is wrong or not kept."""
    if not filter_text:
        return "TRUE", {}
    expression = parse(filter_text)
    by_keys: dict[tuple[str, ...], list[Monitor]] = {}
    for monitor in monitors:
        by_keys.setdefault(tuple(monitor.keys), []).append(monitor)
    conditions: list[str] = []
    params: dict[str, Any] = {}
    for keys, same in by_keys.items():
        found = where(expression, samples(keys, same[0].name, "g"), filter_text)
        sql = _named(found.sql, found.parameters, params)
        params[f"m{len(conditions)}"] = [monitor.pk for monitor in same]
        conditions.append(f"(g.monitor_id = ANY(%(m{len(conditions)})s) AND {sql})")
    return " OR ".join(conditions), params


def _named(sql: str, values: Sequence[object], params: dict[str, Any]) -> str:
    """Placeholders get names, so that this condition can stand in a statement with others."""
    head, *rest = sql.split("%s")
    for value, text in zip(values, rest, strict=True):
        name = f"c{len(params)}"
        params[name] = value
        head += f"%({name})s{text}"
    return head
