"""finalized metrics per bucket and group of conversations; bases with --bases

Counters are sums over the bucket, throughput is bit/s, percents are 0 to 100, timings are seconds with their
percentiles. A value that could not be measured is null. The folded rest is a row with is_other.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from cstor.errors import UsageError
from cstor.store.answer import columns_of
from cstor.store.finalized import finalized_columns, flattened, named_metrics
from cstor.store.layout import SECOND_NS, existing_store
from cstor.store.query import KEYS, QueryError
from cstor.store.series import SeriesReader
from cstor.store.timetext import time_text
from cstor.terminal.options import add_range, read_range_ns
from wire.filters.error import FilterError

DEFAULT_METRICS = "throughput,packets,bytes,network_latency,server_latency,retransmission_percent,failure_percent"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", required=True, type=Path, metavar="DIR")
    parser.add_argument("--filter", default="", metavar="F", help="such as 'net 10.0.0.0/8 and tcp port 443'")
    parser.add_argument("--metrics", default=DEFAULT_METRICS, metavar="A,B", help="default: %(default)s")
    parser.add_argument("--by", default="", metavar="K1,K2", help=f"keys to group by: {', '.join(KEYS)}")
    parser.add_argument("--step", type=int, default=1, metavar="S", help="length of a bucket in seconds; default: 1")
    add_range(parser)
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="groups kept; default: %(default)s")
    parser.add_argument("--order", metavar="M", help="what to rank groups by; default: bytes,failures,retransmissions")
    parser.add_argument("--points", choices=("primary", "all"), default="primary", help="all counts copies too")
    parser.add_argument("--totals", action="store_true", help="add a row per bucket over all groups")
    parser.add_argument("--bases", action="store_true", help="integer bases as they are stored")
    parser.add_argument("--format", choices=("json", "csv"), default="json")


def run(options: argparse.Namespace) -> int:
    reader = SeriesReader(existing_store(options.store))
    try:
        metrics = [] if options.bases else named_metrics(options.metrics)
        answer = reader.answer(_question(options))
    except FilterError:
        raise
    except QueryError as error:
        raise UsageError(str(error)) from None
    if answer.head.coarse:
        _, end, step = answer.head.coarse[-1]
        span = f"{time_text(answer.head.coarse[0][0])} to {time_text(end)}"
        print(f"cstor: {span} is kept in steps of {step} s and not shown; ask with --step {step}", file=sys.stderr)
    columns = columns_of(answer)
    if not options.bases:
        keys = {name: columns[name] for name in ("t", *answer.query.by, "is_other", "is_total") if name in columns}
        columns = keys | finalized_columns(metrics, answer)
    _write(columns, options.format)
    return 0


def _question(options: argparse.Namespace) -> dict[str, Any]:
    question = {
        name: getattr(options, name) for name in ("filter", "metrics", "by", "step", "limit", "order", "points")
    }
    for name, time_ns in zip(("from", "to"), read_range_ns(options), strict=True):
        if time_ns is not None and time_ns % SECOND_NS:
            raise UsageError(f"--{name} must be a whole second")
        question[name] = None if time_ns is None else time_ns // SECOND_NS
    return question


def _write(columns: dict[str, list[Any]], form: str) -> None:
    rows = zip(*columns.values(), strict=True)
    if form == "json":
        for row in rows:
            sys.stdout.write(json.dumps(dict(zip(columns, row, strict=True))) + "\n")
        return
    flat = flattened(columns)
    writer = csv.writer(sys.stdout)
    writer.writerow(flat)
    writer.writerows(zip(*flat.values(), strict=True))
