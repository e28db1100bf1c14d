"""Edits of a monitor in its figures: a line, lines apart, and steps that hold both definitions said so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from dashboards.queries.frame import Frame
from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec
from tests.dashboards.traffic import CONVERSATIONS, EDITED, END, START, Traffic, edit_keys

NOW = datetime.fromtimestamp(END + 45, UTC)
SAID = "Definition changed: no longer grouped by server address, server port, protocol"


@pytest.fixture
def edited(traffic: Traffic) -> Traffic:
    edit_keys(traffic)
    return traffic


def ask(**words: Any) -> Frame:
    data = {
        "monitors": ["web"],
        "range": {"from": str(START), "to": str(END + 40)},
        "metrics": ["bytes:sum"],
        "step": 10,
    }
    return run(QuerySpec.from_json(data | words), NOW)


def test_it_says_when_and_how_a_definition_changed(edited: Traffic) -> None:
    frame = ask()
    assert frame.changes == ((EDITED, SAID),)
    assert frame.to_json()["changes"] == [[EDITED, SAID]]
    both = "the step 2026-01-01 10:20:20 to 10:20:30 holds both definitions"
    assert frame.warnings == (f"10:20: {SAID} ({both}; numbers over the whole range hold both definitions)",)
    assert ask(range={"from": str(START), "to": str(END)}).changes == ()


def test_it_keeps_a_total_in_one_line(edited: Traffic) -> None:
    (series,) = ask().series
    assert series.keys == {}
    assert series.whole == edited.bytes_of() + 10


def test_it_never_adds_up_the_two_sides_of_a_group(edited: Traffic) -> None:
    mine = [item for item in ask(by=["client_ip"]).series if item.keys["client_ip"] == "10.0.0.1"]
    old, new = sorted(mine, key=lambda item: "definition" not in item.keys)
    assert old.keys == {"client_ip": "10.0.0.1", "definition": "before 10:20"}
    assert new.keys == {"client_ip": "10.0.0.1"}
    assert old.whole == edited.bytes_of(0)
    assert np.isnan(new.values[:-2]).all()
    # The step with both is known in part only: neither definition held for the whole of it.
    assert np.isnan([old.values[-2], new.values[-2]]).all()
    assert (new.partial[-2], new.values[-1]) == (5, 5)
    assert np.isnan(old.values[-1])


def test_its_lines_lead_to_the_packets_of_their_own_definition(edited: Traffic) -> None:
    edited.web.filter = "tcp port 80"
    edited.web.save()
    frame = ask(by=["client_ip"], filter="client host 10.0.0.1")
    filters = {item.keys.get("definition"): frame.filters[str(item.keys)] for item in frame.series}
    assert "(tcp port 443) and" in filters["before 10:20"]
    assert len(frame.changes) == 1


def test_it_says_what_an_older_definition_cannot_answer(edited: Traffic) -> None:
    edited.web.keys = ["client_ip", "vni"]
    edited.web.save()
    warnings = ask(by=["vni"]).warnings
    assert "Before 10:20 Web did not keep vni: nothing of that time is shown." in warnings


def test_it_tells_the_other_from_the_total(edited: Traffic) -> None:
    frame = ask(by=["client_ip"], top={"n": 20, "metric": "bytes", "stat": "sum"})
    assert len(frame.series) == len(CONVERSATIONS) + 2
    other = frame.series[-1]
    assert other.keys == {"other": True}
    assert other.whole == edited.bytes_of(8)


def test_it_names_the_monitor_among_several(edited: Traffic) -> None:
    assert ask(monitors=[], by=["monitor"]).changes[0][1].startswith("Definition of Web changed: no longer")


def test_it_compares_with_the_past_and_says_that_it_meant_something_else(edited: Traffic) -> None:
    later = {"from": str(START + 86_400), "to": str(END + 40 + 86_400)}
    frame = run(QuerySpec.from_json({"metrics": ["bytes:sum"], "range": later, "compare": "1d", "step": 60}), NOW)
    assert any(text.startswith("A day earlier: Definition") for text in frame.warnings)
