"""A label as filter text that selects exactly the conversations it wins, for a monitor with exact totals.

What other labels take out of it is excluded, so that filter and label mean the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from monitors.labels.rules import Overlap, Region, Rule, overlaps, rules_of
from monitors.models import Location
from monitors.models.label import TransportProtocol

# Which kind of label, and of which side, a key of a question is about.
KIND_OF_KEY = {
    "service": ("services", "server"),
    "client_location": ("locations", "client"),
    "server_location": ("locations", "server"),
    "client_site": ("locations", "client"),
    "server_site": ("locations", "server"),
    "point": ("points", ""),
    "application": ("protocols", ""),
}
# A filter that no one would read, nor a URL carry.
MAX_LENGTH = 4_000


def label_filter(kind: str, numbers: Collection[int], side: str = "") -> str:
    """Filter text of these labels together; "" where they name nothing.

    `side` is client, server or, for locations, "" for either end. Nodes are not part of a filter: the monitor names
    them.
    """
    rules = rules_of(kind)
    mine = [rule for rule in rules if rule.label_id in numbers]
    if not mine:
        return ""
    lost: dict[Rule, list[Overlap]] = {}
    for item in overlaps(rules):
        if item.winner.label_id not in numbers:
            lost.setdefault(item.loser, []).append(item)
    sides = {"services": ["server"], "locations": [side] if side else ["client", "server"]}.get(kind, ["server"])
    terms = [_exact(rule, lost.get(rule, []), end) for end in sides for rule in mine]
    return _joined(list(dict.fromkeys(terms)), "or")


def _exact(rule: Rule, lost: Sequence[Overlap], side: str) -> str:
    taken = list(dict.fromkeys(_term(item.winner.region, side) for item in lost))
    own = _term(rule.region, side)
    return _joined([own, f"not {_grouped(_joined(taken, 'or'))}"], "and") if taken else own


def _term(region: Region, side: str) -> str:
    parts = []
    if region.network is not None:
        single = region.network.prefixlen == region.network.max_prefixlen
        parts.append(f"{side} host {region.network.network_address}" if single else f"{side} net {region.network}")
    if region.protocol is not None:
        parts.append(TransportProtocol(region.protocol).label.lower())
    if region.ports is not None:
        first, last = region.ports
        parts.append(f"server port {first}" if first == last else f"server portrange {first}-{last}")
    parts += [f"{word} {value}" for word, value in (("vni", region.vni), ("vlan", region.vlan)) if value is not None]
    return _joined(parts, "and")


def _joined(parts: Sequence[str], word: str) -> str:
    """In this language `and` and `or` bind alike: what has several words of either stands in parentheses."""
    found = [part for part in parts if part]
    return f" {word} ".join(_grouped(part) if len(found) > 1 else part for part in found)


def _grouped(text: str) -> str:
    return f"({text})" if " and " in text or " or " in text else text


def within(location: Location) -> set[int]:
    """Numbers of a place and of all that lies in it."""
    children: dict[int | None, list[int]] = {}
    for number, parent in Location.objects.values_list("pk", "parent_id"):
        children.setdefault(parent, []).append(number)
    found, waiting = set(), [location.pk]
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += children.get(number, [])
    return found
