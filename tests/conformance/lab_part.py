"""What a node measures in the lab's captures beside the truth that the lab wrote down, scenario by scenario.

The lab knows when each segment passed each mirrored interface. Counts must be the same and percentiles within the 1 %
that a histogram may be off; every service is compared at its primary and at its copy by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.capture import write_capture
from lab.scenario import discover
from lab.truth import COUNTS, PERCENTILES, TIMINGS
from lab.truthfile import read
from tests.conformance.compare import Difference, Tally

ROOT = Path(__file__).resolve().parents[2]
SECONDS, SEED = 60, 21
LATE = "out_of_order_client"
RULES = {
    "late request": "A request ends with its last byte to arrive, also where that lies in a segment that was overtaken "
    "(out of order): the server cannot think before. The lab's truth takes the byte with the highest number."
}
WITHIN = 0.0101  # of a histogram's bin; beside it only the float's last digits


class Scenario:
    """One scenario, sent and measured; `tallies` by metric."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.description = discover()[name].description
        path = folder / f"{name}.pcap"
        self.packets = write_capture(discover()[name], path, seconds=SECONDS, seed=SEED)
        self.truth = read(path.with_name(f"{path.name}.json"))
        store = str(folder / f"{name}-store")
        self.summary = cstor("ingest", "--store", store, str(path))[-1]
        self.tallies = {name: Tally() for name in ("packets", "ip_bytes", *COUNTS, *TIMINGS)}
        self._compare_interfaces(series(store, "vni", "packets,bytes"))
        wanted = ",".join((*COUNTS, *TIMINGS, LATE))
        self._compare_services(series(store, "server_ip,server_port,is_copy", wanted))
        self.services = len(self.truth["services"]) + len(self.truth["copies"])

    def _compare_interfaces(self, rows: list[dict[str, Any]]) -> None:
        for one in self.truth["interfaces"]:
            found = [row for row in rows if row["vni"] == one["vni"]]  # primaries and copies
            for ours, theirs in (("packets", "packets"), ("bytes", "ip_bytes")):
                self._count(theirs, f"VNI {one['vni']}", sum(row[ours] for row in found), one[theirs])

    def _compare_services(self, rows: list[dict[str, Any]]) -> None:
        measured = {(row["server_ip"], row["server_port"], row["is_copy"]): row for row in rows}
        for is_copy, kind in ((False, "services"), (True, "copies")):
            for service in self.truth[kind]:
                key = (service["server_ip"], service["server_port"], is_copy)
                found, where = measured.get(key, {}), f"{key[0]} port {key[1]}{' copy' if is_copy else ''}"
                for name in COUNTS:
                    self._count(name, where, found.get(name) or 0, service[name])
                for name in TIMINGS:
                    late = found.get(LATE) or 0 if name == "response_time" else 0
                    self._time(name, where, found.get(name) or {}, service[name], late)

    def _count(self, metric: str, where: str, ours: int, theirs: int) -> None:
        self.tallies[metric].add(Difference(self.name, 0, where, metric, ours, theirs), ours == theirs)

    def _time(self, metric: str, where: str, ours: dict[str, Any], theirs: dict[str, Any], late: int) -> None:
        count = ours.get("count") or 0
        found = Difference(self.name, 0, where, metric, count, theirs["n"])
        off = [p for p in PERCENTILES if count and not _is_near(ours[p], theirs[p])] if count == theirs["n"] else [""]
        if off and count == theirs["n"]:
            found.metric, found.ours, found.theirs = f"{metric} {off[0]}, ms", ours[off[0]] * 1e3, theirs[off[0]] * 1e3
        is_late = bool(off) and count == theirs["n"] and late > 0
        self.tallies[metric].add(found, not off, lambda _: "late request" if is_late else "")

    @property
    def differences(self) -> Iterator[Difference]:
        for tally in self.tallies.values():
            yield from tally.differences


def _is_near(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) <= WITHIN * theirs


def series(store: str, keys: str, metrics: str) -> list[dict[str, Any]]:
    """One row per group over everything, copies too."""
    asked = ("--by", keys, "--metrics", metrics, "--points", "all", "--limit", "10000", "--step", "3600")
    return [row for row in cstor("series", "--store", store, *asked) if not row["is_other"]]


def cstor(*arguments: str) -> list[dict[str, Any]]:
    """What a command of the node prints, as JSON."""
    command = [sys.executable, "-m", "cstor", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]
