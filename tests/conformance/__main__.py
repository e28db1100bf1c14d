"""`python -m tests.conformance FILE...`: our counts beside those of the installed tshark, stream by stream.

Prints what differs and ends with status 1 if anything does. `--frames` tells the frames on which tshark and the plain
reference of our rules (tests/naive.py) disagree.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.conformance.compare import differences, match
from tests.conformance.frames import disagreements
from tests.conformance.ours import analyse
from tests.conformance.theirs import tshark_itself, tshark_version


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("captures", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--frames", action="store_true", help="tell the frames, not only the streams")
    options = parser.parse_args()
    if not tshark_version().startswith("4.0."):
        print(f"tshark 4.0 is what our rules follow; here is {tshark_version() or 'none'}", file=sys.stderr)
    status = 0
    for path in options.captures:
        answers, ours = tshark_itself(path), analyse(path)
        found = [one for matched in match(answers.streams, ours.tcp, True) for one in differences(matched, path.name)]
        print(f"{path.name}: {len(answers.streams)} streams, {len(found)} differences")
        for one in found:
            print(f"  stream {one.stream} {one.direction} {one.metric}: ours {one.ours}, tshark {one.theirs}")
        if options.frames and found:
            for line in disagreements(path):
                print(f"  {line}")
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main())
