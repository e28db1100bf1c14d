"""POST /api/v1/query."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from monitors.models.token import ApiToken
from tests.dashboards.traffic import END, START, Traffic

QUESTION = {
    "monitors": ["web"],
    "metrics": [{"key": "bytes", "stat": "sum"}],
    "range": {"from": str(START), "to": str(END)},
    "step": 60,
}


def post(client: Client, data: Any, **headers: str) -> Any:
    return client.post("/api/v1/query", data, content_type="application/json", headers=headers)


def test_it_answers_a_frame(viewer: Client, traffic: Traffic) -> None:
    answer = post(viewer, QUESTION)
    assert answer.status_code == 200
    frame = answer.json()
    assert sum(frame["series"][0]["values"]) == traffic.bytes_of()
    assert (frame["step"], frame["times"][0], frame["complete_until"]) == (60, START, END)
    assert frame["gaps"] == []
    assert frame["visibility"] is None


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({"metrics": []}, "metrics", "at least one metric"),
        ({"metrics": ["bytes"], "by": ["colour"]}, "by", "cannot group by"),
        ({"metrics": ["bytes"], "monitors": ["nobody"]}, "monitors", "there is no monitor"),
        ({"metrics": ["bytes"], "filter": "prot 443"}, "filter", "column"),
        ({"metrics": ["bytes"], "range": {"from": "soon"}}, "range", "is not a time"),
        ([], "", "JSON object"),
    ],
)
def test_it_refuses_in_plain_words(viewer: Client, traffic: Traffic, data: Any, field: str, words: str) -> None:
    answer = post(viewer, data)
    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert words in answer.json()["detail"]


def test_it_refuses_what_is_not_json(viewer: Client) -> None:
    assert viewer.post("/api/v1/query", "{", content_type="application/json").status_code == 400


def test_it_wants_a_login_and_the_right_to_look(client: Client, stranger: User, traffic: Traffic) -> None:
    assert post(client, QUESTION).status_code in (401, 403)
    client.force_login(stranger)
    assert post(client, QUESTION).status_code == 403


def test_it_takes_a_token_with_the_scope_read(client: Client, victor: User, traffic: Traffic) -> None:
    _, reads = ApiToken.issue(victor, "script", ["read"])
    _, packets = ApiToken.issue(victor, "script", ["packets"])
    assert post(client, QUESTION, Authorization=f"Bearer {reads}").status_code == 200
    assert post(client, QUESTION, Authorization=f"Bearer {packets}").status_code == 403
    assert post(client, QUESTION, Authorization="Bearer ccl_wrong").status_code == 401
