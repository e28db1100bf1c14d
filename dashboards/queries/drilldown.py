"""The filter behind a point of a figure: the monitor's own, the query's, and one term per key of the group.

With it a click leads from a line to the packets that it is made of.
"""

from __future__ import annotations

from typing import Any

from dashboards.queries.history import NO_HISTORY, History
from dashboards.queries.spec import QuerySpec
from dashboards.queries.subjects import Subjects
from monitors.series.label_keys import LABEL_KEYS
from wire.filters.grammar import term_for


def filter_of(keys: dict[str, Any], spec: QuerySpec, subjects: Subjects, said: History = NO_HISTORY) -> str:
    """Filter text that selects the traffic of one group; empty where everything is meant, or where no filter says it:
    what a label stands for changes with the label."""
    if any(key in LABEL_KEYS for key in keys):
        return ""
    own = {monitor.slug: monitor.filter for monitor in subjects.monitors}
    if "definition" in keys:
        own = said.filters(keys["definition"])
    if "monitor" in keys:
        monitors = [own.get(keys["monitor"], "")]
    else:
        monitors = list(dict.fromkeys(own.values()))
    parts = [text for text in (_either(monitors), spec.filter) if text]
    parts += [term for key, value in keys.items() if key != "other" and (term := term_for(key, value))]
    return " and ".join(f"({part})" if len(parts) > 1 and " " in part else part for part in parts)


def _either(filters: list[str]) -> str:
    """Filters of several monitors joined; one of them without a filter means all traffic."""
    if not filters or "" in filters:
        return ""
    return filters[0] if len(filters) == 1 else " or ".join(f"({text})" for text in filters)
