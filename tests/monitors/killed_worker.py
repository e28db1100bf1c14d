"""A worker that dies in the middle of its transaction: `python -m tests.monitors.killed_worker NODE LEASE`."""

from __future__ import annotations

import os
import sys
from typing import Any
from uuid import UUID

import django


def main() -> None:
    django.setup()
    from monitors.pulls.claim import Lease
    from monitors.pulls.run import run
    from monitors.series import write
    from tests.monitors.clock import NOW

    def die(*args: Any) -> None:
        os._exit(9)

    # After the rows went in, before they are recorded as covered.
    write._record = die  # type: ignore[assignment]
    run(Lease(int(sys.argv[1]), UUID(sys.argv[2])), clock=lambda: NOW)


if __name__ == "__main__":
    main()
