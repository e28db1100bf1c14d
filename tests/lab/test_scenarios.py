"""Scenarios are discovered, large enough to be interesting, and differ in what they promise to differ in."""

from __future__ import annotations

from typing import Any

import pytest

from lab.events import SECOND, Events
from lab.scenario import discover
from lab.truth import Truth, summarize
from lab.workload import start

HOSTS_LEAST = 40


def _simulate(name: str, seconds: int, rate: float = 1.0) -> tuple[dict[str, Any], int, int]:
    """Truth, number of hosts and number of packets of a scenario."""
    slices: list[dict[str, Any]] = []
    truth = Truth(slices.append)
    events = Events(1_000 * SECOND, seed=2)
    count = 0

    def sink(time_ns: int, _interface: object, _payload: bytes) -> int:
        nonlocal count
        count += 1
        return time_ns

    centre = start(discover()[name], events, truth, sink, rate)
    events.run_until((1_000 + seconds) * SECOND)
    truth.finish()
    return summarize(slices), len(centre.hosts), count


def test_it_finds_the_scenarios_by_their_files() -> None:
    assert set(discover()) == {"clean", "default", "lossy"}


@pytest.mark.parametrize("name", ["clean", "default", "lossy"])
def test_it_has_at_least_forty_hosts_and_every_tier_at_work(name: str) -> None:
    told, hosts, count = _simulate(name, 20)
    assert hosts >= HOSTS_LEAST
    tiers = {tier["name"]: tier["response_time"]["n"] for tier in told["tiers"] if tier["response_time"]["n"]}
    assert set(tiers) == {"web", "application", "cache", "database"}
    assert count / 20 > 500


def test_it_has_no_failures_on_a_clean_day() -> None:
    told, _, _ = _simulate("clean", 20)
    assert told["total"]["refused"] == told["total"]["unreachable"] == told["total"]["client_aborted"] == 0
    assert told["total"]["turns_ambiguous"] == 0


def test_it_has_failures_of_every_kind_on_a_bad_one() -> None:
    told, _, _ = _simulate("lossy", 30)
    assert min(told["total"][kind] for kind in ("refused", "unreachable", "client_aborted")) > 0
    assert told["total"]["established"] < told["total"]["attempts"]


def test_it_sends_more_at_a_higher_rate() -> None:
    _, _, once = _simulate("clean", 10)
    _, _, thrice = _simulate("clean", 10, rate=3)
    assert 2 < thrice / once < 4
