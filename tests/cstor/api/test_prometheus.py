"""GET /metrics: what Prometheus's own parser makes of it, and the conventions that scrapers rely on."""

from __future__ import annotations

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from cstor.api.prometheus import ELSEWHERE, FAMILIES
from cstor.metrics.registry import BASES_OF
from cstor.stages import STAGES
from tests.cstor.test_node import RunningNode


@pytest.fixture(scope="module")
def families(capturing: RunningNode) -> dict[str, Metric]:
    text = capturing.call("/metrics").body.decode()
    found = list(text_string_to_metric_families(text))
    assert len({family.name for family in found}) == len(found), "a family came twice"
    return {family.name: family for family in found}


def test_it_names_every_number_of_the_node() -> None:
    assert set(FAMILIES) | ELSEWHERE == set(BASES_OF["node"])
    for key, family in FAMILIES.items():
        assert family.name.endswith("_total") == (BASES_OF["node"][key].kind == "sum" and key not in LEVELS), key


LEVELS = {"flows", "conversations"}


def test_it_has_help_and_type_for_everything(families: dict[str, Metric]) -> None:
    for family in families.values():
        assert family.documentation and family.type in ("counter", "gauge"), family.name
        assert family.name.startswith("cstor_")
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            assert sample.value >= 0


def test_it_labels_by_source_thread_reason_and_stage(families: dict[str, Metric]) -> None:
    (received,) = families["cstor_received_packets"].samples
    assert received.value > 0 and received.labels["source"].startswith("vxlan") and received.labels["thread"]
    assert {sample.labels["stage"] for sample in families["cstor_stage_seconds"].samples} == set(STAGES)
    assert all("reason" in sample.labels for sample in families["cstor_dropped_packets"].samples)


def test_it_speaks_in_base_units(families: dict[str, Metric]) -> None:
    (lag,) = families["cstor_lag_seconds"].samples
    assert 0 < lag.value < 10
    (fill,) = families["cstor_ring_fill_ratio"].samples
    assert 0 <= fill.value <= 1
    assert families["cstor_flows"].samples[0].value >= 1
    assert families["cstor_resident_memory_bytes"].samples[0].value > 1 << 20
