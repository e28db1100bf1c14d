"""What an answer is once it is checked: columns of rows, and what the node said of the window they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from monitors.intervals import Intervals, intersect, union
from monitors.series.groups import Values

PAIR_BYTES = 4


class BadAnswer(Exception):
    """What is wrong with an answer, in words for the pull state."""


@dataclass(frozen=True)
class Histogram:
    """One histogram column: pairs per row, and all pairs as the samples table stores them."""

    lengths: list[int]
    pairs: bytes

    def only(self, keep: Sequence[int]) -> Histogram:
        starts = [0, *accumulate(size * PAIR_BYTES for size in self.lengths)]
        return Histogram(
            [self.lengths[number] for number in keep],
            b"".join(self.pairs[starts[number] : starts[number + 1]] for number in keep),
        )

    def plus(self, other: Histogram) -> Histogram:
        return Histogram([*self.lengths, *other.lengths], self.pairs + other.pairs)


@dataclass(frozen=True)
class Rows:
    """Columns of equal length; `groups` names every group but total and other."""

    t: list[int]
    group: list[int]
    scalars: dict[str, list[int | None]]
    histograms: dict[str, Histogram]
    groups: dict[int, Values]

    def __len__(self) -> int:
        return len(self.t)

    def only(self, keep: Sequence[int]) -> Rows:
        """The rows of these numbers."""
        ids = [self.group[number] for number in keep]
        named = set(ids)
        return Rows(
            [self.t[number] for number in keep],
            ids,
            {key: [column[number] for number in keep] for key, column in self.scalars.items()},
            {key: column.only(keep) for key, column in self.histograms.items()},
            {number: values for number, values in self.groups.items() if number in named},
        )

    def within(self, intervals: Intervals) -> Rows:
        """The rows whose time lies in a set of seconds."""
        keep = [n for n, t in enumerate(self.t) if any(start <= t < stop for start, stop in intervals)]
        return self if len(keep) == len(self.t) else self.only(keep)

    def plus(self, other: Rows) -> Rows:
        """Both, one after the other; a column that one of them lacks is filled up with nulls."""
        n, m = len(self), len(other)
        scalars = {
            key: [*self.scalars.get(key, [None] * n), *other.scalars.get(key, [None] * m)]
            for key in {**self.scalars, **other.scalars}
        }
        histograms = {
            key: self.histograms.get(key, Histogram([0] * n, b"")).plus(
                other.histograms.get(key, Histogram([0] * m, b""))
            )
            for key in {**self.histograms, **other.histograms}
        }
        return Rows([*self.t, *other.t], [*self.group, *other.group], scalars, histograms, self.groups | other.groups)


@dataclass(frozen=True)
class Answer:
    """What one window brought. `covered` may be less than was asked: data ends at `complete_until`."""

    rows: Rows
    covered: Intervals
    lost: Intervals = ()
    observed: Intervals = ()
    revisions: dict[str, int] = field(default_factory=dict)
    complete_until: int = 0
    refused: int = 0


def joined(groups: Answer, totals: Answer) -> Answer:
    """The answers to two queries about one window as one: what both are complete for."""
    covered = intersect(groups.covered, totals.covered)
    return Answer(
        groups.rows.within(covered).plus(totals.rows.within(covered)),
        covered,
        lost=union(groups.lost, totals.lost),
        observed=intersect(union(groups.observed, totals.observed), covered),
        revisions={**totals.revisions, **groups.revisions},
        complete_until=min(groups.complete_until, totals.complete_until),
        refused=groups.refused + totals.refused,
    )
