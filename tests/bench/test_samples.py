"""The benchmark of writing and rolling up samples in its quick form: every row of its table, and sums that agree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.samples_answers import STEP, answers
from tests.source import ROOT

ROWS = ("COPY of the same rows by psql", "pulled: answer", "of that, parsing", "rolled up, base rows")


def test_it_prints_its_table(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "bench.samples", "--quick"],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    for row in ROWS:
        assert f"| {row}" in done.stdout
    assert "of the speed of a plain COPY" in done.stdout


def test_it_tells_a_recording_again_for_later_times() -> None:
    line = b'{"step":10,"complete_until":99.5,"observed":[[1,2]],"columns":{"t":[7,7],"bytes_client":[1,2]}}'
    (first, one), (second, two) = answers([line], 1000, 2)
    assert (first, second) == (1000, 1000 + STEP)
    assert one == (
        b'{"step":10,"complete_until":1010,"observed":[[1000,1010]],"columns":{"t":[1000,1000],"bytes_client":[1,2]}}'
    )
    assert b'"t":[1010,1010]' in two
