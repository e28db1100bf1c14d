"""A data folder for servers of a test's own, where a system user can reach it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cclear.services.postgres import Postgres
from cclear.services.valkey import Valkey


@pytest.fixture
def data() -> Iterator[Path]:
    """A path where no data folder is yet."""
    parent = Path(tempfile.mkdtemp(prefix="cclear-services-"))
    if os.geteuid() == 0:
        parent.chmod(0o755)
    yield parent / "data"
    Postgres(parent / "data").stop()
    Valkey(parent / "data").stop()
    shutil.rmtree(parent)
