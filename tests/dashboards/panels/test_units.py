"""How numbers are written."""

from __future__ import annotations

import pytest

from dashboards.panels.units import MISSING, full_text, scale_for, significant


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (0.0000123, "s", "12.3 µs"),
        (1.5, "s", "1.5 s"),
        (12_345_678, "bit/s", "12.3 Mbit/s"),
        (999, "B", "999 B"),
        (1500, "B", "1.5 kB"),
        (0.1834, "%", "0.183 %"),
        (100, "%", "100 %"),
        (12.34, "connections/s", "12.3 /s"),
        (8, "connections", "8"),
        (1234, "packets", "1,234"),
        (1_234_567, "packets", "1,235k"),
        (2.5e7, "packets", "25M"),
        (0, "bit/s", "0 bit/s"),
        (None, "s", MISSING),
        (float("nan"), "s", MISSING),
    ],
)
def test_it_writes_a_value_with_its_unit(value: float | None, unit: str, text: str) -> None:
    assert full_text(value, unit) == text


@pytest.mark.parametrize(("peak", "symbol"), [(0.5, "ms"), (2, "s"), (0.0004, "µs"), (0, "ms"), (float("nan"), "ms")])
def test_it_scales_an_axis_by_its_largest_value(peak: float, symbol: str) -> None:
    assert scale_for("s", peak).symbol == symbol


def test_it_keeps_three_digits_that_matter() -> None:
    assert [significant(x) for x in (0.00123, 1.2345, 12.345, 123.45, 1234.5, -5.678)] == [
        "0.00123", "1.23", "12.3", "123", "1,234", "-5.68",
    ]  # fmt: skip
