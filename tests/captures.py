"""The real captures with their oracles, where this machine has them: named by CCLEAR_CAPTURES, else beside the clone.

They are read in place and never copied. Tests that need them carry `@needs_captures`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_FOLDER = Path(os.environ.get("CCLEAR_CAPTURES") or Path(__file__).resolve().parents[2] / "shared" / "captures")

CAPTURES: Path | None = _FOLDER if (_FOLDER / "oracle").is_dir() else None

needs_captures = pytest.mark.skipif(
    CAPTURES is None, reason=f"no captures in {_FOLDER}: set CCLEAR_CAPTURES to the folder that holds them"
)
