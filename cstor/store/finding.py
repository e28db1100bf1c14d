"""One thing that `check` says about one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """What is wrong and what to do; a note is put in order by the next start, a problem by nobody."""

    what: str
    remedy: str
    is_note: bool = False
    path: Path | None = None

    def __str__(self) -> str:
        return f"{'note: ' if self.is_note else ''}{self.path}: {self.what}; {self.remedy}"
