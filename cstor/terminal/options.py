"""Options that several commands share."""

from __future__ import annotations

import argparse

from cstor.errors import UsageError
from cstor.store.timetext import parse_time_ns


def add_range(parser: argparse.ArgumentParser) -> None:
    """--from and --to."""
    text = "RFC 3339 or epoch seconds"
    parser.add_argument("--from", dest="start", metavar="T", help=f"beginning of the range, {text}")
    parser.add_argument("--to", dest="end", metavar="T", help="end of the range, itself outside")


def read_range_ns(options: argparse.Namespace) -> tuple[int | None, int | None]:
    """The range as nanoseconds; UsageError."""
    return _read(options.start, "--from"), _read(options.end, "--to")


def _read(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        return parse_time_ns(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
