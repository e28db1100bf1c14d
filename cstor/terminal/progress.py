"""A line of progress on a terminal, for work that takes more than two seconds; nothing where nobody watches."""

from __future__ import annotations

import sys
import time
from pathlib import Path

PATIENCE_S = 2.0
INTERVAL_S = 0.2


class Progress:
    """Bytes read of a list of files."""

    def __init__(self, paths: list[Path]) -> None:
        self._sizes = {path: path.stat().st_size if path.exists() else 0 for path in paths}
        self._total = sum(self._sizes.values()) or 1
        self._done = 0
        self._began = self._shown = time.monotonic()
        self._is_shown = False

    def __call__(self, path: Path, bytes_read: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._began < PATIENCE_S or now - self._shown < INTERVAL_S:
            return
        self._shown = now
        self._is_shown = True
        share = min(1.0, (self._done + bytes_read) / self._total)
        rate = (self._done + bytes_read) / (now - self._began) / 1e6
        print(f"\r{share:6.1%}  {rate:,.0f} MB/s  {path.name[:60]}\033[K", end="", file=sys.stderr, flush=True)

    def file_done(self, path: Path) -> None:
        self._done += self._sizes.get(path, 0)

    def clear(self) -> None:
        """Take the line away before anything else is printed."""
        if self._is_shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._is_shown = False
