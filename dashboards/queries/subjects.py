"""Whom a query is about: monitors and nodes by the names people use, and back from their numbers to those names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboards.queries.spec import SUBJECT_WORDS, QuerySpec, SpecError
from monitors.models import Monitor, Node


@dataclass(frozen=True)
class Subjects:
    """The monitors asked, the nodes it is limited to (none: all), and every node's name."""

    monitors: list[Monitor]
    node_ids: list[int]
    node_names: dict[int, str]

    def named(self, keys: dict[str, Any]) -> dict[str, Any]:
        """Keys of a group with monitors by slug and nodes by name."""
        if "monitor" in keys:
            slugs = {monitor.pk: monitor.slug for monitor in self.monitors}
            keys = keys | {"monitor": slugs.get(keys["monitor"], keys["monitor"])}
        if "node" in keys:
            keys = keys | {"node": self.node_names.get(keys["node"], str(keys["node"]))}
        return keys


def find_subjects(spec: QuerySpec) -> Subjects:
    """Monitors by slug or number (none named: every enabled one that measures what is asked), nodes by name; SpecError
    for an unknown one."""
    names = dict(Node.objects.values_list("pk", "name"))
    known = list(Monitor.objects.order_by("name"))
    if not spec.monitors:
        chosen = [monitor for monitor in known if monitor.enabled and monitor.subject == spec.subject]
    else:
        by_word = {str(monitor.pk): monitor for monitor in known} | {monitor.slug: monitor for monitor in known}
        for word in spec.monitors:
            if word not in by_word:
                slugs = ", ".join(monitor.slug for monitor in known[:20]) or "none"
                raise SpecError("monitors", f'there is no monitor "{word}"; there are: {slugs}')
        chosen = list(dict.fromkeys(by_word[word] for word in spec.monitors))
        for monitor in chosen:
            if monitor.subject != spec.subject:
                measured, asked = SUBJECT_WORDS[monitor.subject], SUBJECT_WORDS[spec.subject]
                raise SpecError("monitors", f'"{monitor.name}" measures {measured}; the metrics are of {asked}')
    by_name = {name: pk for pk, name in names.items()}
    for word in spec.nodes:
        if word not in by_name:
            raise SpecError("nodes", f'there is no node "{word}"; there are: {", ".join(by_name) or "none"}')
    return Subjects(chosen, [by_name[word] for word in spec.nodes], names)
