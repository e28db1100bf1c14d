"""The health page of the console."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.mark.django_db
def test_it_answers_without_login(client: Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


def test_it_says_in_one_line_that_the_database_is_down(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    from cclear import views

    def down(*args: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(views, "healthz", down)
    monkeypatch.setattr(views.connection, "cursor", down)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.content.decode().count("\n") == 1
    assert "connection refused" in answer.content.decode()
