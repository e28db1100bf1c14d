"""What a node measures in the lab's capture is what the lab knows: every sample, and percentiles within 2 %."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.capture import write_capture
from lab.datacentre import TIERS
from lab.scenario import discover
from lab.truth import COUNTS, TIMINGS
from lab.truthfile import read

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 0.02


def _cstor(*arguments: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "cstor", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["default", "lossy"])
def test_it_is_measured_as_it_was_sent(name: str, tmp_path: Path) -> None:
    packets = write_capture(discover()[name], tmp_path / "lab.pcap", seconds=60, seed=21)
    truth = read(tmp_path / "lab.pcap.json")
    store = str(tmp_path / "store")
    summary = _cstor("ingest", "--store", store, str(tmp_path / "lab.pcap"))[-1]
    assert summary["packets"] == summary["ip_packets"] == packets
    assert summary["ip_bytes"] == sum(interface["ip_bytes"] for interface in truth["interfaces"])
    assert summary["malformed"] == {}
    wanted = ",".join((*TIMINGS, *COUNTS))
    rows = _cstor("series", "--store", store, "--by", "server_port", "--metrics", wanted, "--step", "3600")
    by_port = {row["server_port"]: row for row in rows}
    tiers = {tier["name"]: tier for tier in truth["tiers"]}
    for port, tier in TIERS.items():
        assert {key: by_port[port][key] for key in COUNTS} == {key: tiers[tier][key] for key in COUNTS}
        for timing in TIMINGS:
            measured, known = by_port[port][timing], tiers[tier][timing]
            assert measured["count"] == known["n"], (tier, timing)
            for percentile in ("p50", "p95"):
                assert measured[percentile] == pytest.approx(known[percentile], rel=WITHIN), (tier, timing)
