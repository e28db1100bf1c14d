"""The private servers of one data folder, shared by every command that was started through us.

Each command holds a shared lock for as long as it runs; the last one to end stops the servers. Servers left behind by
a killed command are adopted, and stopped by the next.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from cclear import data_dir
from cclear.services.account import ServiceProblem
from cclear.services.postgres import Postgres
from cclear.services.sockets import remove_socket_folder
from cclear.services.valkey import Valkey


def private_environment(data: Path) -> dict[str, str]:
    """DATABASE_URL and CELERY_BROKER_URL as given from outside, else those of the private servers, running or not."""
    return {
        "DATABASE_URL": os.environ.get("DATABASE_URL") or Postgres(data).url(),
        "CELERY_BROKER_URL": os.environ.get("CELERY_BROKER_URL") or Valkey(data).url(),
    }


class Servers:
    """Those servers that the environment does not name already."""

    def __init__(self, data: Path, environment: Mapping[str, str] = os.environ) -> None:
        self.data = data
        self.members: list[Postgres | Valkey] = []
        if not environment.get("DATABASE_URL"):
            self.members.append(Postgres(data))
        if not environment.get("CELERY_BROKER_URL"):
            self.members.append(Valkey(data))
        self._users = -1

    def start(self) -> None:
        data_dir.prepare(self.data)
        with self._turn():
            self._users = _open_lock(self.data / ".services-users")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            for member in self.members:
                member.start()

    def heal(self) -> list[str]:
        """Start again what has died; a line for each that is back, or that does not come back yet."""
        said = []
        for member in self.members:
            if not member.answers():
                with self._turn():
                    try:
                        member.start()
                        said.append(f"{member.label} had died and runs again")
                    except (ServiceProblem, psycopg2.Error) as problem:
                        said.append(f"{member.label} has died and does not start yet: {problem}")
        return said

    def stop(self) -> None:
        """Stop the servers unless another command still uses them."""
        if self._users < 0:
            return
        with self._turn():
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            finally:
                users, self._users = self._users, -1
            for member in reversed(self.members):
                member.stop()
            remove_socket_folder(self.data)
            os.close(users)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One command at a time starts or stops servers."""
        descriptor = _open_lock(self.data / ".services-turn")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
