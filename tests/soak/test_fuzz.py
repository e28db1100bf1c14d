"""The whole of the fuzz workload with Numba's bounds check, and random connections beside tshark by the thousand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.__main__ import compare
from tests.conformance.test_tshark import needs_tshark, write
from tests.conformance.traffic import connections
from tests.cstor.fuzz.test_fuzz import run


def test_nothing_is_read_outside_a_buffer_when_bounds_are_checked() -> None:
    """Compiling the analysis with checks takes minutes, once; the kernels are kept beside the usual ones."""
    cache = Path(os.environ["NUMBA_CACHE_DIR"]) / "checked"
    run("decode", "files", "analyse", NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(cache))


@needs_tshark
@pytest.mark.parametrize("seed", range(100, 130))
def test_it_judges_whatever_happens_as_tshark_does(tmp_path: Path, seed: int) -> None:
    streams, found = compare(write(tmp_path / "random.pcap", connections(500, 60, seed)))
    assert streams > 600
    assert found == []
