"""Retention over REST."""

from __future__ import annotations

import pytest

from monitors.models import Monitor, Retention
from tests.monitors.cast import visitor
from tests.monitors.clock import NOW, pull
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db
URL = "/api/v1/retention/"
JSON = "application/json"


def test_it_tells_and_changes_what_is_kept(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    pull()
    told = visitor("viewer").get(URL).json()
    assert (told["days_10"], told["budget_gb"]) == (7, None)
    stored = told["stored"]
    assert [step["step"] for step in stored["steps"]] == [1, 10, 60, 600, 3600, 86_400]
    assert stored["bytes"] == sum(step["bytes"] for step in stored["steps"]) > 0
    assert 0 < stored["budget_bytes"] <= 20_000_000_000
    changed = visitor("operator").patch(URL, {"days_10": 3, "budget_gb": 5.5}, JSON)
    assert (changed.status_code, changed.json()["days_10"]) == (200, 3)
    assert changed.json()["stored"]["budget_bytes"] == 5_500_000_000
    assert (Retention.of_site().days_10, Retention.of_site().days_60) == (3, 30)


def test_it_refuses_what_makes_no_sense_and_who_may_not() -> None:
    operator = visitor("operator")
    answer = operator.patch(URL, {"days_60": 6}, JSON)
    assert answer.status_code == 400
    assert "at least as long as the finer step" in answer.json()["days_60"][0]
    assert operator.patch(URL, {"days_1": 0}, JSON).status_code == 400
    assert operator.patch(URL, {"budget_gb": "much"}, JSON).status_code == 400
    assert visitor("viewer").patch(URL, {"days_10": 3}, JSON).status_code == 403
    assert Retention.of_site().days_60 == 30


def test_it_is_described(db: None) -> None:
    described = visitor("admin").get("/api/schema/?format=json").json()
    assert set(described["paths"][URL]) == {"get", "patch"}
    assert "budget_gb" in described["components"]["schemas"]["Retention"]["properties"]
