"""What `make run` says about its processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cclear.supervise.watch import RETRY_S, State, Watch


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(said: list[str], clock: Clock) -> Watch:
    return Watch(said.append, clock)


def state(name: str = "RUNNING", pid: int = 10, log: str = "/nowhere/web.log") -> State:
    return State("web", "web", name, pid, 0, log)


def test_it_says_nothing_about_what_runs(watch: Watch, said: list[str]) -> None:
    watch.look([state("STARTING")])
    watch.look([state()])
    watch.look([state()])
    assert said == []


def test_it_says_once_who_died_and_once_who_is_back(watch: Watch, said: list[str], clock: Clock) -> None:
    watch.look([state()])
    watch.look([state("BACKOFF", 0)])
    clock.now = 4.0
    watch.look([state("STARTING", 11)])
    watch.look([state("RUNNING", 11)])
    assert said == [
        "web died (exit status 0), it is started again (/nowhere/web.log)",
        "web is back after 4 s (process 11)",
    ]


def test_it_notices_a_death_between_two_looks(watch: Watch, said: list[str]) -> None:
    watch.look([state()])
    watch.look([state(pid=11)])
    assert said == ["web died and is back (process 11)"]


def test_it_repeats_the_last_words_of_what_does_not_start(watch: Watch, said: list[str], tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("Traceback\nModuleNotFoundError: no module named web\n")
    watch.look([state("BACKOFF", 0, str(log))])
    watch.look([state("BACKOFF", 0, str(log))])
    assert said == [f"web does not start: ModuleNotFoundError: no module named web ({log})"]


def test_it_tries_anew_after_supervisor_has_given_up(watch: Watch, clock: Clock) -> None:
    watch.look([state()])
    assert watch.look([state("FATAL", 0)]) == []
    clock.now = RETRY_S
    assert watch.look([state("FATAL", 0)]) == [state("FATAL", 0)]
