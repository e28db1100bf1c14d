"""Tables: Markdown that reads well as it stands."""

from __future__ import annotations

from bench.table import per_packet, speed, table, verdict


def test_it_aligns_columns_and_sets_numbers_right() -> None:
    text = table(("tool", "packets/s"), [("ours", "3,000,000"), ("an other", "-")])
    assert text.splitlines() == [
        "| tool     | packets/s |",
        "|----------|----------:|",
        "| ours     | 3,000,000 |",
        "| an other |         - |",
    ]


def test_it_divides_by_no_time_and_by_no_packets() -> None:
    assert speed(10, 0.0) == "10,000,000,000"
    assert per_packet(0, 1.0) == "1,000,000,000"


def test_it_judges_in_both_directions() -> None:
    assert [verdict(2, 1), verdict(1, 2), verdict(1, 2, at_most=True), verdict(2, 1, at_most=True)] == [
        "met",
        "NOT MET",
        "met",
        "NOT MET",
    ]
