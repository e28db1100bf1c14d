"""The door to the filter language: text -> filter and back. Standard library only, so that every program may use it.

The syntax is pcap-filter(7) as tcpdump 4.99 takes it, plus `vni N` and the qualifiers `client` and `server`. Names of
hosts and networks are not looked up: a filter has to mean the same on every node and tomorrow. `gateway` (needs such
names) and the words for Wi-Fi, ATM, pflog and MTP captures are refused by name. `port 80 or 443` keeps its shortness on
input; a parsed filter prints each term in full, and `parse(str(parse(text))) == parse(text)`.
"""

from __future__ import annotations

from functools import lru_cache

from wire.filters.error import FilterError, FilterRefused
from wire.filters.keys import term_for
from wire.filters.lexer import tokenize
from wire.filters.parser import Parser
from wire.filters.terms import (
    And,
    Everything,
    Expression,
    Leaf,
    Not,
    Or,
    conjunction,
    leaves,
)

MAX_LEVELS = 200  # of `and` inside `or` inside `and`...: every reader of a filter walks it recursively

__all__ = [
    "And",
    "Everything",
    "Expression",
    "FilterError",
    "FilterRefused",
    "Leaf",
    "Not",
    "Or",
    "both",
    "leaves",
    "parse",
    "term_for",
]


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """The filter that a text says, `Everything()` for an empty one; FilterError names the word that is wrong."""
    tokens = tokenize(text)
    if tokens[0].kind == "end":
        return Everything()
    expression = Parser(text, tokens).whole()
    if _levels(expression) > MAX_LEVELS:
        raise FilterError(f"more than {MAX_LEVELS} changes between 'and' and 'or': use parentheses", text)
    return expression


def both(left: Expression, right: Expression) -> Expression:
    """A filter that asks for two at once, such as a monitor's own and a panel's."""
    if isinstance(left, Everything) or isinstance(right, Everything):
        return right if isinstance(left, Everything) else left
    return conjunction(left, right)


def _levels(expression: Expression) -> int:
    """Depth of the tree, found without recursion: the tree may be deeper than Python's stack."""
    deepest, waiting = 0, [(expression, 1)]
    while waiting:
        current, level = waiting.pop()
        deepest = max(deepest, level)
        if isinstance(current, And | Or):
            waiting.extend((part, level + 1) for part in current.parts)
        elif isinstance(current, Not):
            waiting.append((current.part, level + 1))
    return deepest
