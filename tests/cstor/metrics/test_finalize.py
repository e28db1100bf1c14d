from __future__ import annotations

import numpy as np
import pytest

from cstor.metrics import histogram as h
from cstor.metrics.finalize import finalize, sample_count
from cstor.metrics.registry import METRICS

NAN = float("nan")


def columns(**values: list[float]) -> dict[str, np.ndarray]:
    return {key: np.array(value, dtype=float) for key, value in values.items()}


def test_it_makes_bits_per_second_of_bytes() -> None:
    got = finalize(METRICS["throughput"], "rate", columns(bytes_client=[1000, NAN], bytes_server=[250, 500]), 10.0)
    assert got.tolist() == [1000.0, 400.0]


def test_it_has_no_percentage_of_nothing() -> None:
    cols = columns(
        retransmissions_client=[1, NAN], retransmissions_server=[1, NAN],
        data_packets_client=[50, NAN], data_packets_server=[50, NAN],
    )  # fmt: skip
    got = finalize(METRICS["retransmission_percent"], "percent", cols, 1.0)
    assert got[0] == 2.0 and np.isnan(got[1])
    assert sample_count(METRICS["retransmission_percent"], cols).tolist() == [100.0, 0.0]


def test_it_clamps_percentiles_to_what_was_seen() -> None:
    value_ns = 20_000_000
    cols = columns(
        response_time_count=[3],
        response_time_sum=[3 * value_ns],
        response_time_min=[value_ns],
        response_time_max=[value_ns],
    )
    cols["response_time"] = h.build(np.zeros(1, int), h.bin_of(np.array([value_ns])), np.array([3]), 1)
    for stat in ("p50", "p95", "p99", "min", "max", "mean"):
        assert finalize(METRICS["response_time"], stat, cols, 1.0)[0] == pytest.approx(0.02, rel=1e-12)
    assert finalize(METRICS["response_time"], "count", cols, 1.0).tolist() == [3.0]


def test_it_names_the_stats_there_are() -> None:
    with pytest.raises(ValueError, match="throughput has no 'p95'; it has rate, sum"):
        finalize(METRICS["throughput"], "p95", {}, 1.0)
