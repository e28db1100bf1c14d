"""What a base and a metric are.

A base is an integer that merges: a sum, a minimum, a maximum, or a histogram of log bins. Only bases are stored, sent
and rolled up. A metric names bases and says how a reader finishes them (the split into partial results and a finalizer
is that of datashader's reductions). Declarations stand one group to a file in `cstor/metrics/groups/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from wire.registry import Registry

Subject = Literal["conversations", "points", "node"]
BaseKind = Literal["sum", "min", "max", "histogram"]
MetricKind = Literal["counter", "ratio", "extreme", "histogram"]
Side = Literal["client", "server"]

COUNTER_STATS = ("rate", "sum")
RATIO_STATS = ("percent",)
EXTREME_STATS = ("value",)
HISTOGRAM_STATS = ("p95", "p50", "p90", "p99", "mean", "min", "max", "count")


@dataclass(frozen=True)
class Unit:
    """How a finalized value is written: `symbol` on the axis; `per_second` is the symbol of its rate."""

    key: str
    symbol: str
    per_second: str


PACKETS = Unit("packets", "packets", "packets/s")
BYTES = Unit("bytes", "B", "B/s")
SEGMENTS = Unit("segments", "segments", "segments/s")
CONNECTIONS = Unit("connections", "connections", "connections/s")
EVENTS = Unit("events", "events", "events/s")
FLOWS = Unit("flows", "flows", "flows")
COUNT = Unit("count", "", "/s")
SECONDS = Unit("seconds", "s", "s/s")
BITS = Unit("bits", "bit", "bit/s")
PERCENT = Unit("percent", "%", "%")


@dataclass(frozen=True)
class Base:
    """One mergeable integer per bucket (a histogram: one integer per bin). Times are nanoseconds."""

    key: str
    kind: BaseKind
    unit: Unit
    help: str = ""
    side: Side | None = None
    subject: Subject = "conversations"


@dataclass(frozen=True)
class Threshold:
    """From `amber` and from `red` on a tile changes colour, when it stands on at least `samples` samples."""

    stat: str
    amber: float
    red: float
    samples: int = 20


@dataclass(frozen=True)
class Metric:
    """A number that people read, finished from bases.

    `terms` maps base keys to weights of the numerator; `per` the same of the denominator (ratios only).
    A histogram metric has one term, its histogram base; an extreme has the bases whose minimum or maximum it is.
    """

    key: str
    label: str
    kind: MetricKind
    unit: Unit
    group: str
    stats: tuple[str, ...]
    help: str
    terms: dict[str, int]
    per: dict[str, int] = field(default_factory=dict)
    scale: float = 1.0
    source: str = ""
    headline: bool = False
    threshold: Threshold | None = None
    subject: Subject = "conversations"

    @property
    def bases(self) -> tuple[str, ...]:
        """Keys of every base that a reader needs to finish this metric by any of its stats."""
        if self.kind == "histogram":
            (key,) = self.terms
            return (key, *(f"{key}_{part}" for part in ("count", "sum", "min", "max")))
        return (*self.terms, *(key for key in self.per if key not in self.terms))

    @property
    def default_stat(self) -> str:
        return self.stats[0]

    def unit_of(self, stat: str) -> Unit:
        """The unit of one stat: a histogram's count is a number of events, a counter's rate is per second."""
        return EVENTS if self.kind == "histogram" and stat == "count" else self.unit

    def symbol_of(self, stat: str) -> str:
        unit = self.unit_of(stat)
        return unit.per_second if stat == "rate" else unit.symbol


# Each subject of a question has names of its own: `packets` of a link are not those of a conversation.
SUBJECTS: tuple[Subject, ...] = ("conversations", "points", "node")
bases_of: dict[Subject, Registry[Base]] = {subject: Registry("base") for subject in SUBJECTS}
metrics_of: dict[Subject, Registry[Metric]] = {subject: Registry("metric") for subject in SUBJECTS}
bases = bases_of["conversations"]
metrics = metrics_of["conversations"]
