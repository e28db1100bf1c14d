"""The benchmark of writing and rolling up samples in its quick form: every row of its table, and sums that agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.samples_answers import STEP, answers, read
from monitors.nodes.frame import Stream, opened
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
    numbers = np.array([[7, 7], [1, 2], [2, 1]], "<i8").tobytes()
    pairs = np.array([5, 6, 7], "<u4").tobytes()
    head = {
        "rows": 2,
        "integers": ["t", "bytes_client"],
        "histograms": ["response_time"],
        "columns": {"is_other": [0, 1]},
    }
    (bucket,) = read(json.dumps(head | {"bytes": len(numbers + pairs)}).encode() + b"\n" + numbers + pairs)
    (first, one), (second, two) = answers([bucket], 1000, 2)
    assert (first, second) == (1000, 1000 + STEP)
    assert opened_frame(one)["columns"]["t"].tolist() == [1000, 1000]
    found = opened_frame(two)
    assert (found["complete_until"], found["observed"]) == (1020, [[1010, 1020]])
    assert found["columns"]["t"].tolist() == [1010, 1010] and found["columns"]["bytes_client"].tolist() == [1, 2]
    several = opened_frame(bucket.frame(1000, 2, 1020, "4"))
    assert several["id"] == "4" and several["columns"]["is_other"] == [0, 1, 0, 1]
    assert several["columns"]["t"].tolist() == [1000, 1000, 1010, 1010]
    assert [part.tolist() for part in several["columns"]["response_time"]] == [[2, 1, 2, 1], [5, 6, 7, 5, 6, 7]]


def opened_frame(frame: bytes) -> dict[str, Any]:
    stream = Stream(iter([frame]), len(frame))
    found = opened(json.loads(stream.line() or b""), stream)
    assert found is not None
    return found
