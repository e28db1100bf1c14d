"""Costs of a child process, and what is said of one that fails."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.pinned import Cost, RunError, less, run


def test_it_accounts_for_a_child(tmp_path: Path) -> None:
    cost = run([sys.executable, "-c", "sum(range(10**6)); open('here', 'w')"], tmp_path)
    assert cost.cpu_s > 0
    assert cost.wall_s > 0
    assert cost.peak_bytes > 1 << 20
    assert (tmp_path / "here").exists()


def test_it_repeats_the_last_words_of_a_child_that_fails(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such thing"):
        run([sys.executable, "-c", "import sys; sys.exit('no such thing')"], tmp_path)


def test_it_takes_the_start_off() -> None:
    assert less(Cost(3.0, 5.0, 7), Cost(1.0, 1.0, 6)) == Cost(2.0, 4.0, 7)
    assert less(Cost(1.0, 1.0, 7), Cost(1.0, 2.0, 6)).cpu_s > 0


def test_it_binds_a_process_and_its_children_to_one_core(tmp_path: Path) -> None:
    script = "import os; from bench.pinned import pin; core = pin(); assert os.sched_getaffinity(0) == {core}"
    run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); {script}"],
        tmp_path,
    )
    assert os.sched_getaffinity(0)
