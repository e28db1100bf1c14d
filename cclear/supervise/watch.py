"""What happens to the processes: asked of supervisor over its socket, told in one line each."""

from __future__ import annotations

import contextlib
import http.client
import time
import xmlrpc.client
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

RETRY_S = 60.0
_NO_ANSWER = (OSError, xmlrpc.client.Error, http.client.HTTPException)


@dataclass(frozen=True)
class State:
    """One process as supervisor sees it."""

    name: str
    group: str
    state: str
    pid: int
    exit_status: int
    log: str

    @property
    def is_up(self) -> bool:
        return self.state == "RUNNING"


class Supervisor:
    """supervisor's XML-RPC interface on its unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def states(self) -> list[State]:
        """All processes; empty while supervisor does not answer."""
        try:
            rows = self._call().getAllProcessInfo()
        except _NO_ANSWER:
            return []
        return [
            State(row["name"], row["group"], row["statename"], row["pid"], row["exitstatus"], row["stdout_logfile"])
            for row in rows
        ]

    def start(self, state: State) -> None:
        with contextlib.suppress(*_NO_ANSWER):
            self._call().startProcess(f"{state.group}:{state.name}", False)

    def _call(self) -> Any:
        """A connection for one call: a signal may have broken off the one before."""
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


class Watch:
    """Turns one look after the other into lines: who died, who is back, who was given up for now."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._pids: dict[str, int] = {}
        self._down_since: dict[str, float] = {}

    def look(self, states: Iterable[State]) -> list[State]:
        """Say what changed since the last look; those that supervisor gave up and that are to be started again."""
        again = []
        for state in states:
            known = self._pids.get(state.name)
            if state.is_up:
                self._up(state, known)
            elif known is not None and state.name not in self._down_since:
                self._down(state)
            elif known is None and state.state in ("BACKOFF", "FATAL") and state.name not in self._down_since:
                self._down_since[state.name] = self._clock()
                self._say(f"{state.name} does not start{_last_words(state)}")
            if state.state == "FATAL" and self._clock() - self._down_since.get(state.name, 0.0) >= RETRY_S:
                again.append(state)
        return again

    def _up(self, state: State, known: int | None) -> None:
        since = self._down_since.pop(state.name, None)
        if since is not None:
            self._say(f"{state.name} is back after {self._clock() - since:.0f} s (process {state.pid})")
        elif known is not None and known != state.pid:
            # It died and came back between two looks.
            self._say(f"{state.name} died and is back (process {state.pid})")
        self._pids[state.name] = state.pid

    def _down(self, state: State) -> None:
        self._down_since[state.name] = self._clock()
        # supervisor's word for a signal.
        cause = "killed" if state.exit_status == -1 else f"exit status {state.exit_status}"
        self._say(f"{state.name} died ({cause}), it is started again{_last_words(state)}")


def _last_words(state: State) -> str:
    """The last line of the log, which tells most, and where the rest is."""
    try:
        lines = Path(state.log).read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f": {lines[-1][:200]} ({state.log})" if lines else f" ({state.log})"
