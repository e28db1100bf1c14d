"""read captures into a store; prints a JSON summary as its last line

Each file (pcap or pcapng) is a stream of its own. A file that is damaged is read up to the fault; what was ingested
stays, the other files are still read, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from cstor.ingest import Ingest
from cstor.terminal.progress import Progress
from wire.packets.capturefile import CaptureError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="the store; made if it is not there")
    parser.add_argument(
        "--duplicates-ms",
        type=milliseconds,
        default=0.0,
        metavar="MS",
        help="count packets that were captured twice within so many milliseconds in `duplicates` only; 3 suits most "
        "mirrors (default 0: off)",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="pcap or pcapng files; - is standard input")


def milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not milliseconds of 0 to 1000")
    return value


def run(options: argparse.Namespace) -> int:
    progress = Progress(options.files)
    failed = False
    with Ingest(options.store, progress, int(options.duplicates_ms * 1e6)) as ingest:
        for path in options.files:
            try:
                ingest.file(path)
            except CaptureError as error:
                failed = True
                progress.clear()
                print(f"cstor: {error}", file=sys.stderr)
            progress.file_done(path)
    progress.clear()
    print(json.dumps(ingest.summary.as_json()))
    return int(failed)
