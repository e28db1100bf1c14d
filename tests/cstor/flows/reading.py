"""What an analysis found, by the registry's names: `analysed(packets).total("attempts")`, `.sessions[0]["outcome"]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cstor.buckets.second import DENSE, OUTCOMES, SESSION, ClosedSecond
from cstor.flows.analysis import Analysis, AnalysisConfig
from cstor.metrics.registry import BASES, HISTOGRAMS, SCALARS

SCALAR = {base.key: number for number, base in enumerate(SCALARS)}
HISTOGRAM = {base.key: number for number, base in enumerate(HISTOGRAMS)}
COLUMN = {key: number for number, key in enumerate(DENSE)}
MERGE = {"sum": sum, "min": min, "max": max}


class Found:
    """Closed seconds and sessions of one run."""

    def __init__(self, analysis: Analysis) -> None:
        self.seconds: list[ClosedSecond] = analysis.take_seconds()
        taken = analysis.take_sessions()
        self.sessions = taken.rows if taken else np.zeros(0, SESSION)
        self.counters = analysis.counters()

    def values(self, base: str) -> Iterator[tuple[int, np.void, int]]:
        """(second, key, value) of every row in which a base is present."""
        for second in self.seconds:
            if base in COLUMN:
                column = second.dense[:, COLUMN[base]]
                part = base.rpartition("_")[2]
                there = second.dense[:, COLUMN[f"{base[: -len(part)]}count"]] if part in ("min", "max") else column
                for row in np.flatnonzero(there):
                    yield second.t, second.keys[row], int(column[row])
            else:
                for cell in second.cells[second.cells["base"] == SCALAR[base]]:
                    yield second.t, second.keys[cell["row"]], int(cell["value"])

    def total(self, base: str) -> int:
        """A base merged over all seconds and conversations; 0 where it is absent."""
        return MERGE[BASES[base].kind]([value for _, _, value in self.values(base)] or [0])

    def by_second(self, base: str) -> dict[int, int]:
        merged: dict[int, int] = {}
        for second, _, value in self.values(base):
            merged[second] = MERGE[BASES[base].kind]([merged[second], value]) if second in merged else value
        return merged

    def bins(self, histogram: str) -> dict[int, int]:
        merged: dict[int, int] = {}
        for second in self.seconds:
            for one in second.bins[second.bins["metric"] == HISTOGRAM[histogram]]:
                merged[int(one["bin"])] = merged.get(int(one["bin"]), 0) + int(one["n"])
        return merged

    def timing_ms(self, histogram: str) -> tuple[int, float]:
        """(count, sum in ms) of a timing."""
        return self.total(f"{histogram}_count"), self.total(f"{histogram}_sum") / 1e6

    @property
    def outcomes(self) -> list[str]:
        return [OUTCOMES[row["outcome"]] for row in self.sessions]

    def histories(self) -> list[str]:
        return [row["history"].decode() for row in self.sessions]


def analysed(packets: np.ndarray, *, finish: bool = True, advance_ns: int | None = None, **config: Any) -> Found:
    """Analyse packets, move the clock on if asked to, and read what was found."""
    analysis = Analysis(AnalysisConfig(**config))
    analysis.feed(packets)
    if advance_ns is not None:
        analysis.advance(advance_ns)
    if finish:
        analysis.finish()
    return Found(analysis)
