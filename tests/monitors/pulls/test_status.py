"""What the database says of thousands of pulls is what `monitors.state` says of each."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from monitors import state
from monitors.models import Monitor, Node, Pull, Rollup
from monitors.pulls import status
from tests.monitors.clock import NOW

pytestmark = pytest.mark.django_db


def moment(second: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(second, dt.UTC)


def seeded(n: int = 300) -> list[Pull]:
    """Pulls in every state there is, and on every edge between two."""
    chance = random.Random(7)
    monitors = [
        Monitor(name=f"m{number}", slug=f"m{number}", enabled=number % 5 > 0, interval_s=chance.choice([1, 10, 60]))
        for number in range(n)
    ]
    Monitor.objects.bulk_create(monitors)
    nodes = []
    for number in range(12):
        complete = chance.choice([None, NOW, NOW - 119, NOW - 121, NOW - 5000, "nonsense"])
        known = {
            "complete_until": complete,
            "kept_from": chance.choice([NOW - 4000, None]),
            "oldest_bucket": NOW - 3000,
        }
        mode = {"mode": chance.choice(["capture", "serve"])}
        told = {key: value for key, value in known.items() if value is not None}
        retry_at = chance.choice([None, moment(NOW - 5), moment(NOW + 20)])
        nodes.append(Node(name=f"n{number}", url="http://n", enabled=number > 0, status=told | mode, retry_at=retry_at))
    Node.objects.bulk_create(nodes)
    pulls = []
    for number, monitor in enumerate(monitors):
        node = nodes[number % len(nodes)]
        if chance.random() < 0.9:
            monitor.nodes.add(node)
        pulls.append(Pull(monitor=monitor, node=node, **_fields(chance)))
    Pull.objects.bulk_create(pulls)
    return pulls


def _fields(chance: random.Random) -> dict[str, Any]:
    until = NOW - chance.choice([0, 5, 50, 61, 200, 205, 210, 4000])
    since = NOW - chance.choice([4000, 3000, 2980, 2970, 1000])
    failures = chance.choice([0, 0, 0, 0, 1, 2, 3, 9])
    return {
        "covered": ((since, until),) if since < until and chance.random() < 0.9 else (),
        "lost": chance.choice([(), ((NOW - 4000, NOW - 2900),)]),
        "frozen": chance.choice([(), ((NOW - 4000, NOW - 500),)]),
        "stale": chance.choice([(), (), ((NOW - 1000, NOW - 900),)]),
        "failures": failures,
        "error": "broken" if failures else "",
        "next_run": moment(NOW + chance.choice([5, 0, -9, -29, -31, -600])),
        "lease_until": chance.choice([None, None, moment(NOW + 10), moment(NOW - 10)]),
        "last_run": chance.choice([None, moment(NOW - 3), moment(NOW - 120)]),
        "rows_per_s": chance.choice([0.0, 100.0]),
    }


def test_it_agrees_with_what_is_said_of_each_pull() -> None:
    seeded()
    keys = status.keys(NOW)
    asked = {(m, n) for m, n in Monitor.nodes.through.objects.values_list("monitor_id", "node_id")}
    said = {}
    for pull in Pull.objects.select_related("monitor", "node"):
        pull.is_asked = (pull.monitor_id, pull.node_id) in asked
        said[pull.monitor_id, pull.node_id] = state.of_pull(pull, NOW).key
    assert keys == said
    assert set(keys.values()) == set(state.SEVERITY)


def test_it_lists_the_worst_first_in_pages() -> None:
    seeded()
    everything, total = status.page(status.Wanted(), NOW, 1000, 0)
    assert total == len(everything) == 300
    ranks = [state.SEVERITY.index(state.of_pull(pull, NOW).key) for pull in everything]
    assert ranks == sorted(ranks, reverse=True)
    paged = [pull for at in range(0, 300, 50) for pull in status.page(status.Wanted(), NOW, 50, at)[0]]
    assert [pull.pk for pull in paged] == [pull.pk for pull in everything]


def test_it_filters() -> None:
    pulls = seeded()
    down, n = status.page(status.Wanted(state="down"), NOW, 1000, 0)
    assert n == len(down) == status.totals(NOW).states["down"]
    node = pulls[5].node_id
    assert {pull.node_id for pull in status.page(status.Wanted(node_id=node), NOW, 1000, 0)[0]} == {node}
    assert [p.monitor.name for p in status.page(status.Wanted(search="M299"), NOW, 10, 0)[0]] == ["m299"]
    assert status.page(status.Wanted(search="50%"), NOW, 10, 0) == ([], 0)


def test_it_adds_up() -> None:
    pulls = seeded()
    Rollup.objects.create(monitor_id=1, step=60, run=0, due=moment(NOW - 1))
    Rollup.objects.create(monitor_id=1, step=60, run=600, due=moment(NOW + 1))
    found = status.totals(NOW)
    assert (found.pulls, sum(found.states.values()), found.backlog) == (300, 300, 1)
    assert found.rows_per_s == pytest.approx(sum(state.rows_per_s(pull, NOW) for pull in pulls))
    assert found.pulls_per_s > 0
    assert found.lag_p50 is not None
    assert found.lag_p99 is not None
    assert found.lag_p50 <= found.lag_p99
    assert found.queues is not None
    assert set(found.queues) >= {"pulls", "rollups"}


def test_it_is_empty_without_pulls() -> None:
    found = status.totals(NOW)
    assert (found.pulls, found.rows_per_s, found.lag_p99) == (0, 0.0, None)
    assert status.page(status.Wanted(), NOW, 50, 0) == ([], 0)
