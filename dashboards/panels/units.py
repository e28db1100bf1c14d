"""How numbers are written: the prefix that suits a panel's values, and one value with its unit.

A panel has one prefix for its whole axis (ms, Mbit/s), chosen by its largest value, so that ticks stay short. Prefixes
are SI (k = 1000) for bits and bytes alike; percentages and counts keep their own size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SI = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
# Counted things: beside its label a number says only "per second", the axis spells it out.
COUNTED = ("packets", "segments", "connections", "events", "flows")
PREFIXED = ("bit/s", "bit", "B", "B/s")
MISSING = "–"


@dataclass(frozen=True)
class Scale:
    """`factor` turns a value of the metric's unit into one of `symbol`."""

    factor: float
    symbol: str


def scale_for(symbol: str, peak: float) -> Scale:
    """The scale for an axis whose largest value is `peak`."""
    peak = abs(peak) if math.isfinite(peak) else 0.0
    if symbol == "s":
        if 0 < peak < 1e-6:
            return Scale(1e9, "ns")
        if 0 < peak < 1e-3:
            return Scale(1e6, "µs")
        return Scale(1e3, "ms") if peak < 1 else Scale(1.0, "s")
    if symbol in PREFIXED:
        for size, prefix in SI:
            if peak >= size:
                return Scale(1 / size, prefix + symbol)
    return Scale(1.0, symbol)


def value_text(value: float | None, symbol: str) -> tuple[str, str]:
    """("12.3", "ms"): number and unit of one value, apart so that a page can set them in two sizes."""
    if value is None or not math.isfinite(value):
        return MISSING, ""
    scale = scale_for(symbol, value)
    if symbol in ("s", "%", *PREFIXED):
        return significant(value * scale.factor), scale.symbol
    for size, prefix in SI[:-1]:
        if abs(value) >= 10 * size:
            return significant(value / size) + prefix, _short(symbol)
    return significant(value), _short(symbol)


def _short(symbol: str) -> str:
    counted, _, per = symbol.partition("/")
    return (f"/{per}" if per else "") if counted in COUNTED else symbol


def full_text(value: float | None, symbol: str) -> str:
    """One value as a cell of a table shows it: "12.3 ms"."""
    number, unit = value_text(value, symbol)
    return f"{number} {unit}".strip()


def significant(value: float) -> str:
    """Three digits that matter: 0.0123, 1.23, 12.3, 123, 1,234."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
