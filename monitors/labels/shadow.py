"""What a label takes from others and loses to them, for its pages and its form."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitors.labels.rules import Overlap, Rule, never_wins, overlaps, rules_of


@dataclass
class Shadow:
    """Of one label: `takes` where it wins over another, `loses` where another wins, `hidden` its rules that never win.

    `is_hidden` where that is all of them.
    """

    takes: list[Overlap] = field(default_factory=list)
    loses: list[Overlap] = field(default_factory=list)
    hidden: list[Rule] = field(default_factory=list)
    is_hidden: bool = False


def shadows(kind: str) -> dict[int, Shadow]:
    """Shadow of each label of a kind that meets another, by the label's number."""
    rules = rules_of(kind)
    found: dict[int, Shadow] = {}
    lost: dict[Rule, list[Overlap]] = {}
    for item in overlaps(rules):
        found.setdefault(item.winner.label_id, Shadow()).takes.append(item)
        found.setdefault(item.loser.label_id, Shadow()).loses.append(item)
        lost.setdefault(item.loser, []).append(item)
    for rule, items in lost.items():
        if never_wins(rule, items):
            found[rule.label_id].hidden.append(rule)
    for number, shadow in found.items():
        shadow.is_hidden = len(set(shadow.hidden)) == len({rule for rule in rules if rule.label_id == number})
    return found


def shadow_of(kind: str, number: int) -> Shadow:
    return shadows(kind).get(number, Shadow())
