"""The command line of a search: count, plan, or write the packets to a file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import BinaryIO

from cstor.config import ConfigError, parse_size
from cstor.errors import UsageError
from cstor.search.export import encoded, format_of, refuse_mixed
from cstor.search.plan import SearchPlan, make_plan, names_of
from cstor.search.run import Search
from cstor.store.layout import existing_store
from cstor.store.timetext import time_text
from cstor.terminal.options import add_range, read_range_ns
from wire.filters.grammar import parse
from wire.filters.packets import PacketFilter
from wire.packets.capturefile import CaptureError

PATIENCE_S, INTERVAL_S = 2.0, 0.5
SECOND_NS = 1_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m cstor search`."""
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="a store made by ingest or run")
    parser.add_argument(
        "filter", nargs="*", metavar="FILTER", help="such as 'host 10.0.0.1 and tcp port 443'; none: all"
    )
    parser.add_argument("--outer", action="store_true", help="look at frames as captured, not at the innermost packet")
    add_range(parser)
    parser.add_argument("--max-packets", type=int, metavar="N", help="stop after N packets, the earliest ones")
    parser.add_argument("--max-bytes", metavar="N", help="stop before N bytes of packets; 20000000 or '20 MB'")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--count", action="store_true", help="print how many packets match, nothing else")
    wanted.add_argument("--plan", action="store_true", help="print what would be read, as JSON, and read nothing")
    wanted.add_argument(
        "-w", dest="file", metavar="FILE", help="write them; FILE.pcapng as pcapng, - to standard output"
    )


configure = add_arguments


def run(options: argparse.Namespace) -> int:
    """0 done, 1 failed; wrong usage is raised: UsageError, FilterError."""
    text = " ".join(options.filter)
    chosen = PacketFilter(parse(text), options.outer, text)
    start_ns, end_ns = read_range_ns(options)
    max_packets, max_bytes = _limits(options)
    plan = make_plan(existing_store(options.store), chosen, start_ns, end_ns)
    for reason in plan.left_out:
        _say(f"left out: {reason}")
    if options.plan:
        print(json.dumps(_plan_json(plan, chosen)))
        return 0
    progress = _Progress(plan.packets)
    search = Search(plan, chosen, max_packets, max_bytes, progress)
    try:
        if options.count:
            found = search.count()
            progress.clear()
            print(found)
            return 0
        return _write(search, chosen, options.file)
    finally:
        progress.clear()


def _limits(options: argparse.Namespace) -> tuple[int | None, int | None]:
    if options.max_packets is not None and options.max_packets < 1:
        raise UsageError("--max-packets must be at least 1")
    if options.max_bytes is None:
        return options.max_packets, None
    try:
        max_bytes = parse_size(options.max_bytes, "--max-bytes")
    except ConfigError as error:
        raise UsageError(str(error)) from None
    if max_bytes < 1:
        raise UsageError("--max-bytes must be at least 1")
    return options.max_packets, max_bytes


def _plan_json(plan: SearchPlan, chosen: PacketFilter) -> dict[str, object]:
    return {
        "filter": chosen.text,
        "segments": len(plan.segments),
        "packets": plan.packets,
        "bytes": plan.bytes,
        "link_types": [names_of([link_type]) for link_type in plan.link_types],
        "kept_from": None if plan.kept_from_ns is None else time_text(plan.kept_from_ns // SECOND_NS),
        "left_out": list(plan.left_out),
    }


def _write(search: Search, chosen: PacketFilter, name: str) -> int:
    path = Path(name)
    form = format_of(path)
    if form == "pcap":
        refuse_mixed(search.plan, chosen)
    if name == "-":
        _copy(search, form, sys.stdout.buffer)
    else:
        with path.open("wb") as file:
            try:
                _copy(search, form, file)
            except CaptureError as error:
                _say(f"{error}; {path} holds the {search.packets} packets found before it")
                return 1
    limit = f"; stopped by --{search.limit.replace('_', '-')}" if search.limit else ""
    _say(f"{search.packets} packets, {search.bytes} bytes of {search.plan.packets} packets looked at{limit}")
    if not search.packets:
        _say(why_empty(search.plan))
    return 0


def _copy(search: Search, form: str, file: BinaryIO) -> None:
    for piece in encoded(search, form):
        file.write(piece)
    file.flush()


def why_empty(plan: SearchPlan) -> str:
    """One sentence for an answer without packets."""
    if plan.kept_from_ns is None:
        return "the store holds no packets"
    kept_from = time_text(plan.kept_from_ns // SECOND_NS)
    if not plan.segments and not plan.left_out:
        return f"no packets are stored for this range; the oldest one kept is of {kept_from}"
    return f"no packet matches the filter in this range; packets are kept from {kept_from} on"


def _say(text: str) -> None:
    print(f"cstor: {text}", file=sys.stderr)


class _Progress:
    """A line on the terminal for searches of more than two seconds."""

    def __init__(self, packets: int) -> None:
        self.packets = packets
        self._began = self._shown = time.monotonic()
        self._is_shown = False

    def __call__(self, search: Search) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._began < PATIENCE_S or now - self._shown < INTERVAL_S:
            return
        self._shown, self._is_shown = now, True
        share = min(1.0, search.scanned / max(1, self.packets))
        rate = search.scanned / (now - self._began) / 1e6
        line = f"\r{share:6.1%}  {rate:.1f} M packets/s  {search.packets:,} found\033[K"
        print(line, end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away before anything else is printed."""
        if self._is_shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._is_shown = False
