"""Time of day as text: epoch seconds with up to nine digits, or RFC 3339. Exact: no float in between."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_EPOCH = re.compile(r"^\d{1,12}(?:\.(\d{1,9})\d*)?$")
_RFC3339 = re.compile(r"^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$")
SECOND_NS = 1_000_000_000


def parse_time_ns(text: str) -> int:
    """Nanoseconds since 1970 UTC; ValueError that says which forms there are."""
    text = str(text).strip()
    found = _EPOCH.match(text)
    if found:
        return int(text.split(".")[0]) * SECOND_NS + _fraction(found[1])
    found = _RFC3339.match(text.replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
    if found:
        zone = "+00:00" if found[4] in "Zz" else found[4]
        try:
            whole = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
            return int(whole.timestamp()) * SECOND_NS + _fraction(found[3])
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"{text!r} is no time; write 2024-05-01T12:00:00Z or epoch seconds such as 1714564800")


def _fraction(digits: str | None) -> int:
    return int((digits or "0").ljust(9, "0"))


def time_text(t: float) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
