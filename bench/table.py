"""Tables that read the same on a terminal and in a page: Markdown with aligned columns, and how figures are written."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"[\d.,]+( x)?|-|")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of a Markdown table; columns that hold numbers are set right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    is_number = [all(_NUMBER.fullmatch(row[at]) for row in rows) for at in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        set_out = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, is_number, strict=True)
        )
        return f"| {' | '.join(set_out)} |"

    rule = "|".join(
        f"{'-' * (width + 1)}{':' if right else '-'}" for width, right in zip(widths, is_number, strict=True)
    )
    return "\n".join([line(head), f"|{rule}|", *(line(row) for row in rows)])


def speed(packets: int, seconds: float) -> str:
    """Packets per second."""
    return f"{packets / max(seconds, 1e-9):,.0f}"


def per_packet(packets: int, seconds: float) -> str:
    """Nanoseconds per packet."""
    return f"{seconds / max(packets, 1) * 1e9:,.0f}"


def megabytes(size: int, seconds: float) -> str:
    """MB (10^6 bytes) per second."""
    return f"{size / max(seconds, 1e-9) / 1e6:,.0f}"


def verdict(value: float, target: float, at_most: bool = False) -> str:
    """Whether a figure reaches its target."""
    return "met" if (value <= target if at_most else value >= target) else "NOT MET"
