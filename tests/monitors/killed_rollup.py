"""A worker that dies while it folds, its run deleted and half written: `python -m tests.monitors.killed_rollup NOW`."""

from __future__ import annotations

import os
import sys
from typing import Any

import django


def main() -> None:
    django.setup()
    from monitors.series import rollup

    fold = rollup._fold

    def fold_and_die(*args: Any) -> None:
        fold(*args)
        os._exit(9)

    rollup._fold = fold_and_die
    rollup.roll_up(float(sys.argv[1]))


if __name__ == "__main__":
    main()
