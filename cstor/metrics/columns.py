"""The bases and metrics of all subjects side by side, for a reader that keeps them in one table: the console.

Each subject names its own things, `packets` of a link are not those of a conversation. Here every name is there once:
conversations keep theirs, links are `points_...`, the node's own counters `node_...`.
"""

from __future__ import annotations

from dataclasses import replace

from cstor.metrics.metric import SUBJECTS, Base, Metric, Subject
from cstor.metrics.registry import BASES_OF, METRICS_OF
from wire.registry import Registry


def column_of(subject: Subject, key: str) -> str:
    """The one name of a subject's base or metric."""
    return key if subject == "conversations" else f"{subject}_{key}"


def _columns(subject: Subject, terms: dict[str, int]) -> dict[str, int]:
    return {column_of(subject, key): weight for key, weight in terms.items()}


BASES: Registry[Base] = Registry("base")
METRICS: Registry[Metric] = Registry("metric")
for _subject in SUBJECTS:
    for _base in BASES_OF[_subject].values():
        _name = column_of(_subject, _base.key)
        BASES.add(_name, replace(_base, key=_name))
    for _metric in METRICS_OF[_subject].values():
        _name = column_of(_subject, _metric.key)
        _terms, _per = _columns(_subject, _metric.terms), _columns(_subject, _metric.per)
        METRICS.add(_name, replace(_metric, key=_name, terms=_terms, per=_per))
BASES.freeze()
METRICS.freeze()

HISTOGRAMS: tuple[Base, ...] = tuple(base for base in BASES.values() if base.kind == "histogram")
SCALARS: tuple[Base, ...] = tuple(base for base in BASES.values() if base.kind != "histogram")
