"""one connection per line, every per-connection metric

UDP and other protocols appear as sessions with their volume. Newest first; all of them unless --limit says fewer.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cstor.errors import UsageError
from cstor.store.layout import existing_store
from cstor.store.query import QueryError
from cstor.store.session_json import csv_header, csv_row, session_line
from cstor.store.sessions import MAX_LIMIT, SessionReader
from cstor.terminal.options import add_range, read_range_ns


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", required=True, type=Path, metavar="DIR")
    parser.add_argument("filter", nargs="?", default="", metavar="FILTER", help="such as 'host 10.0.0.1 and port 443'")
    add_range(parser)
    parser.add_argument("--order", default="start", help="start, end, duration, a counter or a timing; NAME:asc")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N sessions")
    parser.add_argument("--format", choices=("json", "csv"), default="json")


def run(options: argparse.Namespace) -> int:
    rows = _rows(options)
    if options.format == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(csv_header())
        writer.writerows(csv_row(row) for row in rows)
    else:
        for row in rows:
            sys.stdout.write(session_line(row) + "\n")
    return 0


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    reader = SessionReader(existing_store(options.store))
    start_ns, end_ns = read_range_ns(options)
    raw: dict[str, Any] = {"filter": options.filter, "order": options.order, "start_ns": start_ns, "end_ns": end_ns}
    left = options.limit
    if left is not None and left < 1:
        raise UsageError("--limit must be at least 1")
    cursor: str | None = None
    while left is None or left > 0:
        limit = MAX_LIMIT if left is None else min(left, MAX_LIMIT)
        try:
            page = reader.page({**raw, "limit": limit, "cursor": cursor})
        except QueryError as error:
            raise UsageError(str(error)) from None
        yield from page.rows
        cursor = page.cursor
        if cursor is None:
            return
        left = None if left is None else left - len(page.rows)
