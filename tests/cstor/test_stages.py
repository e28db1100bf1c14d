"""Time by stage: nested stages are told apart, and a stage that fails is ended."""

from __future__ import annotations

import time

import pytest

from cstor.stages import STAGES, Stages


def test_it_measures_a_stage() -> None:
    stages = Stages()
    with stages.time("decode"):
        time.sleep(0.001)
    assert stages.ns["decode"] >= 1_000_000
    assert sum(stages.ns[stage] for stage in STAGES if stage != "decode") == 0


def test_it_takes_an_inner_stage_out_of_the_outer_one() -> None:
    stages = Stages()
    began = time.perf_counter_ns()
    with stages.time("analyse"), stages.time("close"):
        time.sleep(0.002)
    elapsed = time.perf_counter_ns() - began
    assert stages.ns["close"] >= 2_000_000
    assert stages.ns["analyse"] < stages.ns["close"]
    assert sum(stages.ns.values()) <= elapsed


def test_it_ends_a_stage_that_raises() -> None:
    stages = Stages()
    with pytest.raises(OSError), stages.time("write"):
        raise OSError
    with stages.time("analyse"):
        pass
    assert stages.ns["write"] > 0 and stages.ns["analyse"] > 0
