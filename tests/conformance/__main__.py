"""`python -m tests.conformance FILE...`: our counts beside those of the installed tshark, stream by stream.

Prints what differs and ends with status 1 if anything does. `--frames` tells the frames on which tshark and the plain
reference of our rules (tests/naive.py) disagree. tshark knows streams by addresses and ports alone; a capture in which
the same ones lie under several VNIs is compared mirror point by mirror point.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conformance.compare import Difference, differences, match
from tests.conformance.frames import disagreements, mirror_points
from tests.conformance.ours import analyse
from tests.conformance.theirs import tshark_itself, tshark_version


def compare(path: Path) -> tuple[int, list[Difference]]:
    """Number of tshark's streams, and where our counts of one differ."""
    with tempfile.TemporaryDirectory() as folder:
        streams, found = 0, []
        for part in mirror_points(path, Path(folder)):
            answers, ours = tshark_itself(part), analyse(part)
            streams += len(answers.streams)
            for matched in match(answers.streams, ours.tcp, True):
                found += differences(matched, part.name)
    return streams, found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("captures", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--frames", action="store_true", help="tell the frames, not only the streams")
    options = parser.parse_args()
    if not tshark_version().startswith("4.0."):
        print(f"tshark 4.0 is what our rules follow; here is {tshark_version() or 'none'}", file=sys.stderr)
    status = 0
    for path in options.captures:
        streams, found = compare(path)
        print(f"{path.name}: {streams} streams, {len(found)} differences")
        for one in found:
            where = f"{one.capture} stream {one.stream} {one.direction}"
            print(f"  {where} {one.metric}: ours {one.ours}, tshark {one.theirs}")
        if options.frames and found:
            for line in disagreements(path):
                print(f"  {line}")
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main())
