"""Log-normal latencies, told the way operators tell them: a median and a 95th percentile."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from lab.events import MILLISECOND

Z95 = 1.6448536269514722


@dataclass(frozen=True)
class Latency:
    """A log-normal latency with the given median and 95th percentile, in milliseconds."""

    median_ms: float
    p95_ms: float
    _mu: float = field(init=False, repr=False)
    _sigma: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_mu", math.log(self.median_ms * MILLISECOND))
        object.__setattr__(self, "_sigma", math.log(self.p95_ms / self.median_ms) / Z95)

    def draw_ns(self, rng: random.Random) -> int:
        return int(rng.lognormvariate(self._mu, self._sigma))


@dataclass(frozen=True)
class Size:
    """A log-normal size in bytes with the given median and 95th percentile, cut at `most`."""

    median: float
    p95: float
    most: int = 200_000

    def draw(self, rng: random.Random) -> int:
        sigma = math.log(self.p95 / self.median) / Z95
        return min(self.most, max(1, int(rng.lognormvariate(math.log(self.median), sigma))))
