"""All bases and metrics, discovered and frozen: what kernels, API, samples table, panels and docs iterate over.

Order is by file name, then by declaration; it numbers columns inside one running program and is never stored.
"""

from __future__ import annotations

from cstor.metrics.metric import Base, bases, metrics
from wire.registry import autodiscover

autodiscover("cstor.metrics.groups")
bases.freeze()
metrics.freeze()

BASES = bases
METRICS = metrics

HISTOGRAMS: tuple[Base, ...] = tuple(base for base in BASES.values() if base.kind == "histogram")
SCALARS: tuple[Base, ...] = tuple(base for base in BASES.values() if base.kind != "histogram")
_PARTS = {f"{base.key}_{part}" for base in HISTOGRAMS for part in ("count", "sum", "min", "max")}
COUNTERS: tuple[Base, ...] = tuple(base for base in SCALARS if base.key not in _PARTS)
HEADLINES = tuple(metric for metric in METRICS.values() if metric.headline)
