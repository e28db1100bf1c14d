"""GET status of a node that captures: what an operator looks for is there, and documented."""

from __future__ import annotations

from typing import Any

from cstor.api.status_schema import STATUS
from cstor.stages import STAGES
from tests.cstor.test_node import RunningNode


def test_it_tells_rates_fill_and_lag(capturing: RunningNode) -> None:
    status = capturing.call("/api/v1/status").json
    assert status["mode"] == "capture" and status["problem"] is None
    assert 0 < status["lag_s"] < 10 and status["behind"] is False
    (source,) = status["sources"]
    assert source["state"] == "capturing"
    assert source["packets_per_s"] > 0 and source["bits_per_s"] > 0
    assert 0 <= source["ring_fill"] <= 1
    (thread,) = source["threads"]
    assert thread["packets"] > 0
    assert set(thread["drops"]) <= set(status["drops"])


def test_it_tells_table_stages_threads_and_versions(capturing: RunningNode) -> None:
    status = capturing.call("/api/v1/status").json
    capture = status["capture"]
    assert capture["table"]["flows"] >= 1 and capture["table"]["flow_limit"] > 1000
    assert set(capture["stages"]) == set(STAGES)
    assert all(capture["stages"][stage]["ns_per_packet"] > 0 for stage in ("read", "decode", "analyse", "write"))
    assert any(thread["cpu_s"] > 0 for thread in capture["threads"])
    assert {"python", "kernel", "numpy"} <= set(status["versions"])


def test_its_numbers_are_stored_by_the_second(capturing: RunningNode) -> None:
    query = {"subject": "node", "by": ["source"], "metrics": ["packets"], "step": 1}
    (answer,) = capturing.lines({"queries": [query]})
    assert "error" not in answer, answer
    (name,) = {name for name in answer["columns"]["source"] if name}
    assert name == capturing.call("/api/v1/status").json["sources"][0]["name"]
    assert sum(value or 0 for value in answer["columns"]["packets"]) > 0


def test_it_documents_every_member(capturing: RunningNode) -> None:
    status = capturing.call("/api/v1/status").json
    assert list(_unknown(status, STATUS, "status")) == []
    schema = capturing.call("/api/schema/", Accept="application/json").json
    assert "ring_fill" in str(schema["paths"]["/api/v1/status"])


def _unknown(value: Any, schema: dict[str, Any], path: str) -> Any:
    """Members of a value that its schema does not have."""
    if isinstance(value, list):
        for item in value:
            yield from _unknown(item, schema.get("items", {}), f"{path}[]")
    elif isinstance(value, dict):
        members, rest = schema.get("properties", {}), schema.get("additionalProperties")
        for name, item in value.items():
            if name in members or rest:
                yield from _unknown(item, members.get(name, rest), f"{path}.{name}")
            else:
                yield f"{path}.{name}"
