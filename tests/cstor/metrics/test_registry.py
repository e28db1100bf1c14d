"""The registry against METRICS: 76 counters, 11 timings, every metric made of bases that exist."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cstor.metrics.registry import BASES, BASES_OF, COUNTERS, HEADLINES, HISTOGRAMS, KINDS, METRICS, METRICS_OF, SCALARS


def test_it_counts_as_the_definitions_do() -> None:
    assert (len(COUNTERS), len(HISTOGRAMS), len(SCALARS)) == (76, 11, 120)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
def test_it_makes_every_metric_of_known_bases(metric) -> None:
    assert metric.bases
    assert all(key in BASES for key in metric.bases)
    assert metric.help and metric.label and metric.default_stat in metric.stats
    assert all(metric.symbol_of(stat) for stat in metric.stats)
    if metric.threshold:
        assert metric.threshold.stat in metric.stats


def test_it_has_every_base_read_by_a_metric() -> None:
    read = {key for metric in METRICS.values() for key in metric.bases}
    assert read == set(BASES)


def test_it_keeps_links_and_the_node_apart_from_conversations() -> None:
    assert set(BASES_OF["points"]) == {"packets", "bytes", "link_burst_bytes", "truncated", "drops"}
    for subject in ("points", "node"):
        for base in BASES_OF[subject].values():
            assert base.subject == subject
            assert base.kind in ("sum", "max")
            assert KINDS[base.key] == base.kind  # one kind to a name, whatever the subject
        for metric in METRICS_OF[subject].values():
            assert metric.subject == subject
            assert metric.bases and all(key in BASES_OF[subject] for key in metric.bases)
            assert metric.help and metric.label and all(metric.symbol_of(stat) is not None for stat in metric.stats)
    assert all(metric.subject == "conversations" for metric in METRICS.values())


def test_it_has_headlines() -> None:
    assert {metric.key for metric in HEADLINES} >= {"throughput", "network_latency", "server_latency", "visibility"}


def test_it_needs_the_standard_library_only() -> None:
    code = "import sys, cstor.metrics.registry; print(sorted({'numpy', 'numba', 'django'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
