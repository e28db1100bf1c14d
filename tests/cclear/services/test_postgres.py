"""How much memory the private server takes for its pages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cclear.services import postgres

GB = 1 << 30
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("memory", "limit", "expected"),
    [(24 * GB, "max", 3072), (24 * GB, f"{2 * GB}", 256), (512 << 20, "max", 128), (256 * GB, "max", 4096)],
)
def test_it_takes_an_eighth_of_what_it_may_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, memory: int, limit: str, expected: int
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    monkeypatch.setattr(postgres, "MEMORY_LIMIT", tmp_path / "memory.max")
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": memory // PAGE, "SC_PAGE_SIZE": PAGE}.get)
    assert postgres.shared_buffers_mb() == expected


def test_a_machine_without_such_limits_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "MEMORY_LIMIT", tmp_path / "absent")
    assert 128 <= postgres.shared_buffers_mb() <= 4096
