"""The strict environment: what is read, and what stops the program with one line."""

from __future__ import annotations

import pytest

from cclear.environment import EnvironmentProblem, env_bool, env_int, env_list, parse_database_url


def test_it_takes_an_empty_variable_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME", "")
    assert env_bool("SOME", True) is True
    assert env_int("SOME", 7) == 7
    assert env_list("SOME", ["a"]) == ["a"]


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("0", False), ("On", True), ("false", False)])
def test_it_reads_yes_and_no(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("SOME", text)
    assert env_bool("SOME", not value) is value


def test_it_refuses_a_word_that_is_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME", "maybe")
    with pytest.raises(EnvironmentProblem, match="SOME='maybe' is neither yes nor no"):
        env_bool("SOME", True)


def test_it_refuses_a_number_out_of_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME", "70000")
    with pytest.raises(EnvironmentProblem, match="from 1 to 65535"):
        env_int("SOME", 1, least=1, most=65535)


def test_it_reads_a_database_url_with_host_and_port() -> None:
    database = parse_database_url("postgresql://me:p%40ss@db.example:5433/clear?sslmode=require")
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", "5433", "clear")
    assert (database["USER"], database["PASSWORD"]) == ("me", "p@ss")
    assert database["OPTIONS"] == {"sslmode": "require"}


def test_it_reads_a_database_url_of_a_unix_socket() -> None:
    database = parse_database_url("postgresql://me:x@/clear?host=%2Fvar%2Frun")
    assert (database["HOST"], database["PORT"]) == ("/var/run", "")


@pytest.mark.parametrize("url", ["mysql://me@db/clear", "postgresql://me@db", "postgresql://me@db:port/clear"])
def test_it_refuses_a_database_url_it_cannot_use(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="DATABASE_URL"):
        parse_database_url(url)
