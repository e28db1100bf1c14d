"""What an answer is once it is checked: columns of rows, and what the node said of the window they belong to.

Columns are arrays: a pull has eighty of them, and handling each cell by itself costs more than the database does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cstor.metrics.histogram import PAIR, Cells
from monitors.intervals import Intervals, intersect, union
from monitors.series.groups import Values

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# No base is negative, so this is null: nothing was counted there.
ABSENT = -(2**63)


class BadAnswer(Exception):
    """What is wrong with an answer, in words for the pull state."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of equal length; `groups` names every group but total and other."""

    t: Ints
    group: Ints
    scalars: Mapping[str, Ints]
    histograms: Mapping[str, Cells]
    groups: dict[int, Values]

    def __len__(self) -> int:
        return len(self.t)

    def only(self, keep: Mask) -> Rows:
        """The rows that are marked."""
        ids = self.group[keep]
        named = set(ids.tolist())
        return Rows(
            self.t[keep],
            ids,
            {key: column[keep] for key, column in self.scalars.items()},
            {
                key: Cells(cells.lengths[keep], cells.pairs[np.repeat(keep, cells.lengths)])
                for key, cells in self.histograms.items()
            },
            {number: values for number, values in self.groups.items() if number in named},
        )

    def within(self, intervals: Intervals) -> Rows:
        """The rows whose time lies in a set of seconds."""
        keep = np.zeros(len(self), dtype=bool)
        for start, stop in intervals:
            keep |= (self.t >= start) & (self.t < stop)
        return self if keep.all() else self.only(keep)

    def plus(self, other: Rows) -> Rows:
        """Both, one after the other; a column that one of them lacks is filled up with nulls."""
        sides = (self, other)
        return Rows(
            np.concatenate([self.t, other.t]),
            np.concatenate([self.group, other.group]),
            {
                key: np.concatenate([rows.scalars.get(key, _absent(len(rows))) for rows in sides])
                for key in {**self.scalars, **other.scalars}
            },
            {
                key: _joined(*(rows.histograms.get(key, _empty(len(rows))) for rows in sides))
                for key in {**self.histograms, **other.histograms}
            },
            self.groups | other.groups,
        )


def _absent(n: int) -> Ints:
    return np.full(n, ABSENT, dtype=np.int64)


def _empty(n: int) -> Cells:
    return Cells(np.zeros(n, dtype=np.int64), np.zeros(0, dtype=PAIR))


def _joined(one: Cells, two: Cells) -> Cells:
    return Cells(np.concatenate([one.lengths, two.lengths]), np.concatenate([one.pairs, two.pairs]))


@dataclass(frozen=True, eq=False)
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
