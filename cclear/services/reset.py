"""`make reset`: ask, then delete the data folder with everything in it."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
from pathlib import Path

from cclear.environment import data_dir


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cclear.services.reset", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args()
    folder = data_dir()
    if not folder.exists():
        print(f"{folder} does not exist: there is nothing to delete")
        return 0
    if not _is_ours(folder):
        print(f"cclear: {folder} does not look like a data folder of cClear: delete it yourself", file=sys.stderr)
        return 1
    if _in_use(folder):
        print(f"cclear: {folder} is in use: stop `make run` first", file=sys.stderr)
        return 1
    if not options.yes and not _agreed(folder):
        print("nothing was deleted")
        return 1
    shutil.rmtree(folder)
    print(f"{folder} is deleted")
    return 0


def _is_ours(folder: Path) -> bool:
    return any((folder / name).exists() for name in (".services-users", "secret_key")) or not any(folder.iterdir())


def _in_use(folder: Path) -> bool:
    """Whether a command holds the servers of this folder."""
    try:
        descriptor = os.open(folder / ".services-users", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _agreed(folder: Path) -> bool:
    print(f"This deletes all packets, samples, dashboards and users in {folder}.")
    try:
        return input("Type yes to go on: ").strip() == "yes"
    except EOFError:
        return False


if __name__ == "__main__":
    sys.exit(main())
