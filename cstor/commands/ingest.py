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
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="pcap or pcapng files")


def run(options: argparse.Namespace) -> int:
    progress = Progress(options.files)
    failed = False
    with Ingest(options.store, progress) as ingest:
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
