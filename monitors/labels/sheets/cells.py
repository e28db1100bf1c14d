"""Cells of sheets: numbers, ports and networks as people write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from monitors.fields import network_of
from monitors.labels.sheets.sheet import BadCell
from monitors.models.label import TransportProtocol

LAST_PORT = 65_535
INT4 = 2**31 - 1


def number(cells: Mapping[str, str], column: str, low: int, high: int) -> int | None:
    """A whole number, None for an empty cell."""
    text = cells.get(column, "")
    if not text:
        return None
    if not re.fullmatch(r"-?\d{1,10}", text) or not low <= int(text) <= high:
        raise BadCell(f'{column} "{text}" is not a number from {low} to {high}')
    return int(text)


def label_fields(cells: Mapping[str, str]) -> dict[str, Any]:
    """Weight and description, as far as the sheet has them."""
    found: dict[str, Any] = {}
    if "weight" in cells:
        weight = number(cells, "weight", -INT4, INT4)
        found["weight"] = 100 if weight is None else weight
    if "description" in cells:
        if len(cells["description"]) > 200:
            raise BadCell("the description is longer than 200 characters")
        found["description"] = cells["description"]
    return found


def network(text: str) -> str:
    try:
        return network_of(text)
    except ValidationError as error:
        raise BadCell(error.messages[0]) from None


def protocol(text: str) -> int | None:
    """TCP or UDP, by name or number; None for an empty cell."""
    if not text:
        return None
    for choice in TransportProtocol:
        if text.upper() in (choice.label, str(choice.value)):
            return int(choice)
    raise BadCell(f'protocol "{text}" is neither TCP nor UDP')


def ports(text: str) -> list[tuple[int, int]]:
    """ "443", "8000-8100" and several of them, parted by blanks or `+`."""
    found = []
    for word in re.split(r"[\s+;,]+", text.strip()):
        if not word:
            continue
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= LAST_PORT:
            raise BadCell(f'port "{word}" is neither a port (443) nor a range (8000-8100)')
        found.append((first, last))
    return found


def ports_text(first: int | None, last: int | None) -> str:
    if first is None:
        return ""
    return str(first) if last in (None, first) else f"{first}-{last}"


def protocol_text(value: int | None) -> str:
    return "" if value is None else str(TransportProtocol(value).label)
