"""Which tier answers which part of a range. Pure arithmetic, no database.

A range is cut from the coarsest tier that the asked step allows downwards: whole, clean runs come from the coarse
tier, and what is left (the edges, runs that wait for their roll-up) from the next finer one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monitors.intervals import Intervals, inner, normalized, outer, subtract

MAX_PIECES = 6


class Slice(NamedTuple):
    """Rows of `tier` with start <= t < end."""

    tier: int
    start: int
    end: int


def plan(start: int, end: int, step: int, tiers: Sequence[int], dirty: Mapping[int, Intervals]) -> list[Slice]:
    """Slices that cover [start, end) once. `step` 0 asks for no buckets (a sum over the range), so that any tier does.

    `tiers` are the monitor's steps, finest first; `dirty` the runs of each tier that may differ from their source.
    """
    slices: list[Slice] = []
    left: Intervals = ((start, end),)
    for tier in reversed(tiers):
        finest = tier == tiers[0]
        if not finest and step % tier:
            continue
        pieces = left if finest else _clean(left, tier, dirty.get(tier, ()))
        slices += [Slice(tier, low, high) for low, high in pieces]
        left = subtract(left, pieces)
        if not left:
            break
    return sorted(slices, key=lambda piece: piece.start)


def _clean(left: Intervals, tier: int, dirty: Intervals) -> Intervals:
    """The parts of `left` that this tier may answer; the longest few, as every slice costs a statement."""
    spoilt = normalized(outer(run, tier) for run in dirty)
    usable = normalized(inner(part, tier) for part in subtract(left, spoilt))
    longest = sorted(usable, key=lambda part: part[0] - part[1])[:MAX_PIECES]
    return normalized(longest)
