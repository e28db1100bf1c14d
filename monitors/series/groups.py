"""The number of a group follows from what it is about: every worker computes the same one without asking.

First 8 bytes of BLAKE2b over the monitor's revision and the keys in canonical form. 0 is the total, 1 is other. A new
revision gives new numbers, so the two sides of a change of definition are never merged.
"""

from __future__ import annotations

from hashlib import blake2b

from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP

KeyValue = str | int | bool | None
Values = tuple[tuple[str, KeyValue], ...]

_RESERVED = (TOTAL_GROUP, OTHER_GROUP)


def group_id(revision: int, values: Values) -> int:
    """Signed 64-bit number of a group. `values` are (key, value) pairs; their order does not matter."""
    text = "|".join([str(revision), *(f"{key}={_canonical(value)}" for key, value in sorted(values))])
    number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
    return number + 2 if number in _RESERVED else number


def _canonical(value: KeyValue) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)
