"""verify every file of a store; works beside a running node

One line for each problem: the file, what is wrong, what to do. What the next start of the node puts in order, such as
the torn end of a log after a kill, is a note. The last line is a JSON summary. Exit status 0: no problem, 1: problems.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from cstor.errors import UsageError
from cstor.store.check import check
from cstor.store.layout import StoreError, existing_store

PATIENCE_S = 2.0
INTERVAL_S = 0.2


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", required=True, type=Path, metavar="DIR")
    parser.add_argument("--quiet", action="store_true", help="problems only, no notes")


def run(options: argparse.Namespace) -> int:
    try:
        root = existing_store(options.store)
    except StoreError as error:
        raise UsageError(str(error)) from None
    progress = _Progress()
    report = check(root, progress)
    progress.clear()
    for finding in report.problems + ([] if options.quiet else report.notes):
        print(finding)
    print(json.dumps(report.as_json()))
    return int(bool(report.problems))


class _Progress:
    """The file that is being verified, on a terminal, once it takes long."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()
        self._files = 0
        self._is_shown = False

    def __call__(self, path: Path) -> None:
        self._files += 1
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._began > PATIENCE_S and now - self._shown > INTERVAL_S:
            self._shown, self._is_shown = now, True
            print(f"\r{self._files} files  {path.name[:60]}\033[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._is_shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
