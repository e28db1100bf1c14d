"""A node's status at a glance; a status that lacks things, or is nonsense, leaves blanks and raises nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitors.nodes.glance import glance, stages

STATUS = {
    "lag_s": 2.4,
    "behind": False,
    "alarms": [
        {"key": "drops", "severity": "warning", "text": "12 packets dropped"},
        {"key": "packets_not_written", "severity": "critical", "text": "packets cannot be written"},
    ],
    "sources": [
        {"name": "a", "packets_per_s": 1000.0, "bits_per_s": 8e6, "ring_fill": 0.25},
        {"name": "b", "packets_per_s": 500, "bits_per_s": 4e6, "ring_fill": None},
    ],
    "drops": {"kernel": 1200, "disk_full": 34},
    "disk": {"free_bytes": 5_000_000_000},
    "capture": {
        "table": {"occupancy": 0.031},
        "drops_per_s": {"kernel": 12.0},
        "stages": {
            "analyse": {"ns_per_packet": 812.5, "ns_per_packet_last": None},
            "read": {"ns_per_packet": 90, "ns_per_packet_last": 1200.2},
        },
    },
}


def test_it_adds_up_the_sources() -> None:
    found = glance(STATUS)
    assert (found.packets_per_s, found.mbit_per_s, found.ring_fill) == (1500, 12.0, 0.25)
    assert found.lost == "1,234, 12/s now"
    assert (found.lag_s, found.is_behind, found.table, found.disk_free) == (2.4, False, 0.031, 5_000_000_000)
    assert found.table_used == "3.1\u202f%"


def test_it_names_the_worst_alarm_first() -> None:
    assert [alarm.colour for alarm in glance(STATUS).alarms] == ["red", "amber"]


def test_it_lists_stages_in_the_order_of_a_packets_way() -> None:
    assert stages(STATUS) == [
        {"name": "read", "start": "90", "now": "1,200"},
        {"name": "analyse", "start": "812", "now": ""},
    ]


def test_it_is_blank_for_a_status_of_an_older_node() -> None:
    found = glance({"version": "0.1"})
    assert (found.lost, found.ring, found.table_used, found.alarms) == ("", "", "", ())


nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(STATUS)), inner, max_size=4),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from([*STATUS, "behind"]), nonsense))
def test_it_takes_nothing_for_granted(status: dict[str, object]) -> None:
    found = glance(status)
    assert isinstance(found.lost, str) and isinstance(stages(status), list)


@pytest.mark.parametrize("fill", [True, "0.5", [], {}])
def test_it_takes_only_numbers_for_numbers(fill: object) -> None:
    assert glance({"sources": [{"ring_fill": fill}]}).ring_fill is None
