"""Alarms: what numbers tell in words, and what is normal and tells nothing."""

from __future__ import annotations

import pytest

from cstor.alarms import Alarm, from_numbers, of_disk
from cstor.counters import FULL, SECOND_NS, Key, Numbers
from cstor.store.segment import QUEUED_BUFFERS

NOW: Numbers = {
    Key("", "", "lag", ""): 2 * SECOND_NS,
    Key("mirror", "capture-0", "ring_fill", ""): FULL // 10,
    Key("", "", "table_occupancy", ""): FULL // 2,
    Key("", "", "write_queue", ""): 1,
}


def alarms(levels: Numbers | None = None, grown: Numbers | None = None) -> list[Alarm]:
    return list(from_numbers(NOW | (levels or {}), grown or {}, 10.0))


def test_it_is_silent_while_all_is_well() -> None:
    assert alarms(grown={Key("mirror", "capture-0", "drops", "kernel"): 0}) == []


@pytest.mark.parametrize(
    ("level", "value", "key"),
    [
        (Key("", "", "lag", ""), 42 * SECOND_NS, "behind"),
        (Key("mirror", "capture-0", "ring_fill", ""), FULL, "ring_fill"),
        (Key("", "", "table_occupancy", ""), FULL, "table_full"),
        (Key("", "", "write_queue", ""), QUEUED_BUFFERS, "write_queue"),
    ],
)
def test_it_tells_a_level_that_is_too_high(level: Key, value: int, key: str) -> None:
    (alarm,) = alarms(levels={level: value})
    assert (alarm.key, alarm.severity) == (key, "warning")


def test_it_tells_drops_by_source_and_reason_over_all_threads() -> None:
    drops = {Key("mirror", f"capture-{number}", "drops", "ring"): 600 for number in range(2)}
    (alarm,) = alarms(grown=drops)
    assert alarm.text == "mirror: 1,200 packets dropped (ring) in the last 10 s"


def test_it_says_that_what_the_disk_refused_was_analysed() -> None:
    (alarm,) = alarms(grown={Key("", "segments", "drops", "disk_full"): 5})
    assert "disk is full (they were analysed)" in alarm.text


def test_it_tells_folded_rows_and_failed_writes() -> None:
    grown = {Key("", "", "events", "rows_folded"): 3, Key("", "", "write_failures", ""): 1}
    assert [alarm.key for alarm in alarms(grown=grown)] == ["rows_folded", "write_failures"]


def test_it_tells_a_disk_that_is_nearly_full() -> None:
    assert list(of_disk(90 * 10**9, 100 * 10**9)) == []
    (alarm,) = of_disk(10**8, 100 * 10**9)
    assert alarm.key == "disk"
