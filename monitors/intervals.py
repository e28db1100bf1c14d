"""Sets of seconds: sorted, disjoint, half-open (start, stop) pairs of epoch seconds. Pure arithmetic.

`covered`, `lost` and `observed` are such sets. They stay small (one pair per interruption), so plain tuples do.
"""

from __future__ import annotations

from collections.abc import Iterable

Interval = tuple[int, int]
Intervals = tuple[Interval, ...]


def normalized(pairs: Iterable[Interval]) -> Intervals:
    """Sorted and merged; empty and inverted pairs fall away."""
    merged: list[Interval] = []
    for start, stop in sorted(pair for pair in pairs if pair[0] < pair[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return tuple(merged)


def union(one: Iterable[Interval], other: Iterable[Interval]) -> Intervals:
    return normalized([*one, *other])


def subtract(one: Iterable[Interval], other: Iterable[Interval]) -> Intervals:
    """What is in `one` and not in `other`."""
    left: list[Interval] = []
    cuts = normalized(other)
    for start, stop in normalized(one):
        for cut_start, cut_stop in cuts:
            if cut_stop <= start or cut_start >= stop:
                continue
            if cut_start > start:
                left.append((start, cut_start))
            start = cut_stop
            if start >= stop:
                break
        if start < stop:
            left.append((start, stop))
    return tuple(left)


def intersect(one: Iterable[Interval], other: Iterable[Interval]) -> Intervals:
    kept = normalized(one)
    return subtract(kept, subtract(kept, other))


def clip(pairs: Iterable[Interval], start: int, stop: int) -> Intervals:
    return normalized((max(start, low), min(stop, high)) for low, high in pairs)


def inner(interval: Interval, step: int) -> Interval:
    """The largest part of an interval whose ends are multiples of `step`; may be empty."""
    start, stop = -(-interval[0] // step) * step, interval[1] // step * step
    return (start, max(start, stop))


def outer(interval: Interval, step: int) -> Interval:
    """The smallest interval around it whose ends are multiples of `step`."""
    return (interval[0] // step * step, -(-interval[1] // step) * step)


def length(pairs: Iterable[Interval]) -> int:
    """Seconds in the set."""
    return sum(stop - start for start, stop in pairs)
