"""The node's own counters as rows of one second: what `stats` counts, what dataset `node` keeps.

    (source, thread, name, reason, value)    names are those of cstor/metrics/groups/node.py, an empty text is "none"

A counter's value is what it grew by since the last second, a level's is the level. Counters that did not move are left
out; a level of 0 stands.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cstor.metrics.registry import BASES_OF

NodeRow = tuple[str, str, str, str, int]

NODE = np.dtype(
    [
        ("t", "i8"),  # epoch second
        ("source", "S48"),  # UTF-8, cut where it is longer
        ("thread", "S32"),
        ("name", "S32"),
        ("reason", "S48"),
        ("value", "i8"),
    ],
    align=True,
)


def node_rows(second: int, rows: Iterable[NodeRow]) -> np.ndarray:
    """Rows of a second as they are stored; KeyError for a name that the registry does not know."""
    bases = BASES_OF["node"]
    kept = [row for row in rows if bases[row[2]].kind != "sum" or row[4]]
    out = np.zeros(len(kept), NODE)
    out["t"] = second
    for number, name in enumerate(("source", "thread", "name", "reason")):
        out[name] = [str(row[number]).encode() for row in kept]
    out["value"] = [row[4] for row in kept]
    return out
