"""The state of monitors in words: behind, catching up, standing still."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from monitors import state
from monitors.models import Monitor, Node, Pull
from tests.monitors.clock import NOW

MONITOR = Monitor(name="m", interval_s=10, resolution=10)


def made(**fields: Any) -> Pull:
    status = fields.pop("status", {"mode": "capture", "kept_from": NOW - 1000, "complete_until": NOW})
    seen = dt.datetime.fromtimestamp(NOW, dt.UTC)
    node = Node(name="n", status=status, last_seen=seen, enabled=fields.pop("node_enabled", True))
    return Pull(monitor=MONITOR, node=node, **{"covered": ((NOW - 1000, NOW),), **fields})


@pytest.mark.parametrize(
    ("pull", "key", "words"),
    [
        (made(), "ok", "Up to date"),
        (made(covered=()), "unknown", "Nothing pulled yet"),
        (made(covered=((NOW - 100, NOW),)), "busy", "Up to date, fetching history"),
        (made(covered=((NOW - 1000, NOW - 300),)), "warning", "5 min behind"),
        (made(error="no", failures=1), "warning", "no"),
        (made(error="no", failures=5), "down", "no"),
        (made(node_enabled=False), "off", "Switched off"),
        (
            made(status={"mode": "serve", "kept_from": 100, "complete_until": 200}, covered=((100, 200),)),
            "ok",
            "All that the node has",
        ),
        (
            made(status={"mode": "serve", "kept_from": 100, "complete_until": 200}, covered=((100, 150),)),
            "busy",
            "Fetching history",
        ),
    ],
)
def test_it_says_how_a_pull_is(pull: Pull, key: str, words: str) -> None:
    found = state.of_pull(pull, NOW + 3)
    assert (found.key, found.words) == (key, words)


def test_it_tells_of_the_worst_node_of_a_monitor() -> None:
    pulls = [made(), made(error="refused", failures=9), made(error="refused", failures=9)]
    found = state.of_monitor(MONITOR, pulls, NOW + 3)
    assert (found.key, found.words, found.lag) == ("down", "n: refused (and 1 more)", "3 s")
    assert state.of_monitor(MONITOR, [], NOW).words == "No nodes chosen yet"
    assert state.of_monitor(Monitor(enabled=False), pulls, NOW).words == "Switched off"
