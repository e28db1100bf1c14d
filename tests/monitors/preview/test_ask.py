"""The preview of a monitor: what nodes answer, what it would cost, and nodes that do not answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from monitors.forms.monitor import MonitorForm
from monitors.models import Capture, Node, NodeGroup
from monitors.preview.ask import Preview, preview
from monitors.preview.cost import estimate
from monitors.preview.draft import Draft, Faults, read_draft
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> Iterator[StubNode]:
    """A node that has just seen three conversations in each of the last 150 seconds."""
    with StubNode("live") as node:
        now = int(time.time())
        for t in range(now - 150, now):
            for number in range(3):
                node.add(t, client=f"10.0.0.{number}", port=443, bytes_client=1000 * (number + 1), packets_client=1)
        yield node


def form(**changes: Any) -> MonitorForm:
    fields: dict[str, Any] = {"kind": "network_health", "resolution": 10, "interval_s": 10, "top_n": 50}
    return MonitorForm({**fields, "keys": ["client_ip"], "steps": [60], **changes})


def ask(**changes: Any) -> Preview:
    draft = read_draft(form(**changes))
    assert isinstance(draft, Draft), draft
    return preview(draft)


def test_it_says_what_matches_and_what_it_costs(live: StubNode) -> None:
    node = Node.objects.create(name="live", url=live.url)
    found = ask(filter="port 443", nodes=[node.pk])
    assert (found.matches, found.seen_on, found.noun, found.failed) == (3, 1, "conversations", [])
    assert found.rows_per_minute == 24, "three groups and the total, six times a minute"
    assert found.cost is not None
    assert [(tier.step, tier.rows) for tier in found.cost.tiers] == [(10, 24 * 1440), (60, 4 * 1440)]
    assert found.cost.bytes_per_day == 24 * 1440 * 480 + 4 * 1440 * 880
    assert [str(example) for example in found.examples][:1] == ["10.0.0.2 → 10.0.1.1:443 TCP"]
    assert found.examples[0].amount == 3000 * 60
    (call,) = live.calls
    assert sum("plan" in query for query in call["queries"]) == 7


def test_it_folds_what_is_beyond_the_top(live: StubNode) -> None:
    node = Node.objects.create(name="live", url=live.url)
    found = ask(nodes=[node.pk], top_n=1)
    assert (found.folded, found.rows_per_minute) == (2, 18)
    assert ask(nodes=[node.pk], keys=[]).rows_per_minute == 6
    assert ask(nodes=[node.pk], keys=[], resolution=60, interval_s=60, steps=[]).rows_per_minute == 1


def test_a_node_that_has_just_started_counts_what_it_has_seen(live: StubNode) -> None:
    now = int(time.time())
    live.observed = [[now - 35, now]]
    live.rows = [row for row in live.rows if row.t >= now - 35]
    node = Node.objects.create(name="live", url=live.url)
    assert ask(filter="port 443", nodes=[node.pk]).rows_per_minute == 24


def test_it_says_that_nothing_matches(live: StubNode) -> None:
    node = Node.objects.create(name="live", url=live.url)
    found = ask(filter="port 80", nodes=[node.pk])
    assert (found.matches, found.rows_per_minute, found.failed) == (0, 0, [])


def test_nodes_that_fail_do_not_hide_the_others(live: StubNode) -> None:
    with StubNode(token="secret") as refusing, StubNode(body=b"<html>") as web:
        nodes = [
            Node.objects.create(name="a-down", url="http://127.0.0.1:1"),
            Node.objects.create(name="b-live", url=live.url),
            Node.objects.create(name="c-off", url=live.url, enabled=False),
            Node.objects.create(name="d-token", url=refusing.url),
            Node.objects.create(name="e-web", url=web.url),
        ]
        found = ask(nodes=[node.pk for node in nodes])
    assert [one.node.name for one in found.answered] == ["b-live"]
    told = {one.node.name: one.error for one in found.failed}
    assert "connection refused" in told["a-down"]
    assert told["c-off"] == "is switched off"
    assert "refused our token" in told["d-token"]
    assert told["e-web"]
    assert found.matches == 3


def test_it_asks_a_store_about_its_last_minute() -> None:
    then = 1_760_004_000
    with StubNode(complete_until=then + 7) as store:
        store.add(then + 3)
        node = Node.objects.create(name="store", url=store.url)
        found = ask(nodes=[node.pk])
        assert (found.matches, len(found.standing), found.standing[0].until) == (1, 1, then + 10)
        assert len(store.calls) == 2
        # Once its status is known it is asked there at once.
        Node.objects.filter(pk=node.pk).update(status={"complete_until": then + 7})
        assert ask(nodes=[node.pk]).matches == 1
        assert len(store.calls) == 3


def test_it_asks_groups_as_a_saved_monitor_would(live: StubNode) -> None:
    one, two, capture = (Node.objects.create(name=name, url=live.url) for name in ("one", "two", "capture"))
    Capture.objects.create(name="x", node=capture)
    some, every = NodeGroup.objects.create(name="some"), NodeGroup.objects.create(name="every", is_all=True)
    some.nodes.add(one)

    def asked(**changes: Any) -> list[str]:
        draft = read_draft(form(**changes))
        assert isinstance(draft, Draft)
        return [node.name for node in draft.nodes]

    assert asked(groups=[some.pk]) == ["one"]
    assert asked(groups=[some.pk], nodes=[two.pk, one.pk]) == ["one", "two"]
    assert asked(groups=[every.pk]) == ["one", "two"]
    assert asked(groups=[every.pk], nodes=[capture.pk]) == ["capture", "one", "two"]
    assert asked() == []


def test_it_points_at_the_word(db: None) -> None:
    faults = read_draft(form(filter="tcp prot 443"))
    assert isinstance(faults, Faults)
    assert faults.marked == ("tcp ", "prot", " 443")
    assert "is 'proto' meant?" in str(faults.filter)


def test_it_needs_no_name_but_sound_numbers(db: None) -> None:
    faults = read_draft(form(top_n=0, keys=["source"]))
    assert isinstance(faults, Faults)
    assert set(faults.fields) == {"top_n", "keys"}


def test_coarse_steps_have_at_most_a_row_per_finer_one() -> None:
    cost = estimate(6, 50, 10, (60, 3600))
    assert [(tier.step, round(tier.rows)) for tier in cost.tiers] == [(10, 8640), (60, 8640), (3600, 1200)]
    assert estimate(0, 0, 10, ()).finest_share == 0
