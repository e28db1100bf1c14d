"""Times as callers write them: epoch seconds, with a fraction or without, or RFC 3339."""

from __future__ import annotations

from cstor.api.problems import bad_request
from cstor.store.timetext import parse_time_ns


def read_ns(text: str | None, name: str) -> int | None:
    """Nanoseconds; None for no time at all; Problem 400 for anything that is no time."""
    if text is None or text == "":
        return None
    try:
        return parse_time_ns(text)
    except ValueError as error:
        raise bad_request(f"{name!r}: {error}") from None


def read_seconds(text: str, name: str) -> int | None:
    """Whole seconds."""
    time_ns = read_ns(text, name)
    if time_ns is not None and time_ns % 1_000_000_000:
        raise bad_request(f"{name!r} must be a whole second")
    return None if time_ns is None else time_ns // 1_000_000_000
