"""Verbs for what is counted beside conversations: links (subject `points`) and the node itself (subject `node`).

Only sums and maxima: both merge over seconds, threads and sources. A level that adds up over threads (open flows) is
stored as the sum of its seconds, so that its rate is the mean level; a level of which the worst counts (a ring's fill)
is a maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

from cstor.metrics.metric import (
    COUNTER_STATS,
    EXTREME_STATS,
    Base,
    Metric,
    Subject,
    Unit,
    bases_of,
    metrics_of,
)


@dataclass(frozen=True)
class Declare:
    """Declares metrics of one subject, each with the base of its name."""

    subject: Subject
    group: str

    def counter(
        self, key: str, label: str, unit: Unit, help: str, *, scale: float = 1.0, stats: tuple[str, ...] = COUNTER_STATS
    ) -> None:
        """What happened within the second; `scale` turns the stored integer into the unit."""
        bases_of[self.subject].add(key, Base(key, "sum", unit, help, subject=self.subject))
        self._metric(Metric(key, label, "counter", unit, self.group, stats, help, {key: 1}, scale=scale))

    def multiple(self, key: str, label: str, unit: Unit, help: str, of: str, *, scale: float) -> None:
        """A counter in another unit: bits of bytes."""
        self._metric(Metric(key, label, "counter", unit, self.group, COUNTER_STATS, help, {of: 1}, scale=scale))

    def level(self, key: str, label: str, unit: Unit, help: str) -> None:
        """How much there was at the second's end, summed over seconds: its rate is the mean level."""
        self.counter(key, label, unit, help, stats=("rate",))

    def highest(self, key: str, label: str, unit: Unit, help: str, *, scale: float = 1.0) -> None:
        """The largest value, over seconds as over threads and sources."""
        bases_of[self.subject].add(key, Base(key, "max", unit, help, subject=self.subject))
        self._metric(Metric(key, label, "extreme", unit, self.group, EXTREME_STATS, help, {key: 1}, scale=scale))

    def mean(self, key: str, label: str, unit: Unit, help: str, of: str, per: str, *, scale: float = 1.0) -> None:
        """One counter divided by another."""
        self._metric(Metric(key, label, "ratio", unit, self.group, ("mean",), help, {of: 1}, {per: 1}, scale=scale))

    def share(self, key: str, label: str, unit: Unit, help: str, of: str, per: tuple[str, ...]) -> None:
        """One counter in percent of others together."""
        terms = dict.fromkeys(per, 1)
        self._metric(Metric(key, label, "ratio", unit, self.group, ("percent",), help, {of: 1}, terms, scale=100.0))

    def _metric(self, metric: Metric) -> None:
        metrics_of[self.subject].add(metric.key, Metric(**{**vars(metric), "subject": self.subject}))
