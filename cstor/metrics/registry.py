"""All bases and metrics, discovered and frozen: what kernels, API, samples table, panels and docs iterate over.

Order is by file name, then by declaration; it numbers columns inside one running program and is never stored.
"""

from __future__ import annotations

from cstor.metrics.metric import SUBJECTS, Base, BaseKind, bases, bases_of, metrics, metrics_of
from wire.registry import autodiscover

autodiscover("cstor.metrics.groups")
for subject in SUBJECTS:
    bases_of[subject].freeze()
    metrics_of[subject].freeze()

# Of conversations: what monitors keep. Links and the node itself have their own, by the name of the subject.
BASES = bases
METRICS = metrics
BASES_OF = bases_of
METRICS_OF = metrics_of
KINDS: dict[str, BaseKind] = {base.key: base.kind for subject in SUBJECTS for base in bases_of[subject].values()}

HISTOGRAMS: tuple[Base, ...] = tuple(base for base in BASES.values() if base.kind == "histogram")
SCALARS: tuple[Base, ...] = tuple(base for base in BASES.values() if base.kind != "histogram")
_PARTS = {f"{base.key}_{part}" for base in HISTOGRAMS for part in ("count", "sum", "min", "max")}
COUNTERS: tuple[Base, ...] = tuple(base for base in SCALARS if base.key not in _PARTS)
HEADLINES = tuple(metric for metric in METRICS.values() if metric.headline)
