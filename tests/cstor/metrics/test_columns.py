"""All subjects side by side: each name once, conversations under their own."""

from __future__ import annotations

import numpy as np

from cstor.metrics.columns import BASES, HISTOGRAMS, METRICS, SCALARS, column_of
from cstor.metrics.finalize import finalize
from cstor.metrics.metric import SUBJECTS
from cstor.metrics.registry import BASES_OF, METRICS_OF


def test_it_names_everything_once() -> None:
    assert len(BASES) == sum(len(BASES_OF[subject]) for subject in SUBJECTS)
    assert len(METRICS) == sum(len(METRICS_OF[subject]) for subject in SUBJECTS)
    assert len(SCALARS) + len(HISTOGRAMS) == len(BASES)


def test_it_leaves_conversations_as_they_are() -> None:
    for key, metric in METRICS_OF["conversations"].items():
        assert METRICS[key] == metric


def test_it_names_the_bases_that_a_metric_is_finished_from() -> None:
    for metric in METRICS.values():
        assert all(BASES[base].subject == metric.subject for base in metric.bases)


def test_it_finishes_a_metric_of_the_node() -> None:
    cost = METRICS[column_of("node", "stage_cost")]
    columns = {"node_stage_time": np.array([3000.0, 5.0]), "node_stage_packets": np.array([10.0, 0.0])}
    values = finalize(cost, "mean", columns, 1.0)
    assert values[0] == 300e-9 and np.isnan(values[1])
