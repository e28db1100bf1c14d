"""Which groups of an answer get rows of their own: the top of each ranking, and those asked for by name.

As `merge.choose` does, for groups that are known by their numbers and may be a million: the limit is found by a heap,
only what lies above it is sorted.
"""

from __future__ import annotations

import numpy as np

from cstor.store.accumulate import select_top
from cstor.store.grouping import Ints
from cstor.store.merge import Kept
from cstor.store.numbering import Numbering


def choose_top(keys: Ints, ranked: Ints, seen: np.ndarray, limit: int, keep: Ints) -> Kept:
    """`ranked` is [groups, rankings], `seen` says which groups occur. Equal totals are in the order of their keys."""
    chosen = np.zeros(len(keys), np.bool_)
    for values in ranked.T:
        chosen[_top(keys, np.ascontiguousarray(values), seen, limit)] = True
    if len(keep):
        wanted = Numbering(keys.shape[1])
        wanted.add(keep)
        chosen |= (wanted.find(keys) >= 0) & (seen != 0)
    folded = ranked[(seen != 0) & ~chosen]
    floor = folded.max(axis=0).tolist() if len(folded) else [0] * ranked.shape[1]
    numbers = np.flatnonzero(chosen)
    best = ranked[numbers]
    order = np.lexsort((*keys[numbers].T[::-1], *(-best.T[::-1]))) if len(numbers) else np.zeros(0, np.int64)
    numbers = numbers[order]
    return Kept(keys[numbers], floor, numbers)


def _top(keys: Ints, values: Ints, seen: np.ndarray, limit: int) -> Ints:
    """Numbers of the groups with the largest positive values, at most `limit`."""
    limit = min(limit, len(values))
    if limit == 0:
        return np.zeros(0, np.int64)
    least = int(select_top(values, seen, np.zeros(limit, np.int64)))
    above = np.flatnonzero((values > least) & (seen != 0))
    if least == 0:
        return above
    equal = np.flatnonzero((values == least) & (seen != 0))
    if len(above) + len(equal) > limit:
        equal = equal[np.lexsort(keys[equal].T[::-1])][: limit - len(above)]
    return np.concatenate([above, equal])
