"""The whole chain as `make run` starts it, on ports and in a data folder of its own."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from cclear.environment import ROOT

PORTS = (
    "CCLEAR_PORT",
    "CVU_PORT",
    "CVU_API_PORT",
    "CSTOR_A_PORT",
    "CSTOR_B_PORT",
    "CSTOR_A_API_PORT",
    "CSTOR_B_API_PORT",
)
# What the tests' own Django is told must not reach the chain.
NOT_INHERITED = ("DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "STATIC_MANIFEST", "SECRET_KEY")
_PR_SET_PDEATHSIG = 1


class Chain:
    """lab, cVu, two nodes, web, workers and beat, until stopped."""

    def __init__(self) -> None:
        parent = Path(tempfile.mkdtemp(prefix="cclear-chain-"))
        # As root the servers run as a system user, who has to pass through.
        parent.chmod(0o755)
        self.data = parent / "data"
        self.lines: list[str] = []
        self.environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        self.environment |= _free_ports() | {"DATA_DIR": str(self.data)}
        self.up_at = 0.0
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['CCLEAR_PORT']}"

    @property
    def password(self) -> str:
        return (self.data / "first-password").read_text().strip()

    def start(self, timeout_s: float = 180) -> None:
        """Start everything and wait until it says that it is up."""
        self.lines.clear()
        command = [sys.executable, "-m", "cclear.services", "--", sys.executable, "-m", "cclear.supervise"]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Should the tests be killed, the chain is not to run on for ever.
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - only this thread runs yet
        )
        self._reader = threading.Thread(target=self._read, args=[self._process], daemon=True)
        self._reader.start()
        self.wait_for(lambda: any("cClear is up" in line for line in self.lines), timeout_s, "the chain to be up")
        self.up_at = time.time()

    def wait_for(self, condition: Any, timeout_s: float, what: str) -> Any:
        """What the condition says once it says something; fails with the chain's own words."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = condition()
            if found:
                return found
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout_s:.0f} s for {what}:\n{self.report()}")
            time.sleep(0.25)

    def truth(self) -> dict[str, Any]:
        """What the lab knows about its own traffic, once it has written it for the first time."""
        file = self.data / "lab-truth.json"
        self.wait_for(file.exists, 60, "the lab's truth")
        document: dict[str, Any] = json.loads(file.read_text())
        return document

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=120)

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this chain, by its data folder."""
        return [process for process in psutil.process_iter() if _belongs(process, str(self.data))]

    def report(self) -> str:
        logs = "".join(f"\n--- {path.name}\n{_tail(path)}" for path in sorted((self.data / "logs").glob("*.log")))
        return "\n".join(self.lines) + logs

    def remove(self) -> None:
        """Stop what still runs and delete the data."""
        if self._process is not None and self._process.poll() is None:
            self.interrupt()
        shutil.rmtree(self.data.parent, ignore_errors=True)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _belongs(process: psutil.Process, data: str) -> bool:
    try:
        return process.environ().get("DATA_DIR") == data or any(data in word for word in process.cmdline())
    except psutil.Error:
        return False


def _free_ports() -> dict[str, str]:
    """A free port for each part, all held until the last is chosen."""
    ports = {}
    with ExitStack() as stack:
        for name in PORTS:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports[name] = str(probe.getsockname()[1])
    return ports


def _tail(path: Path, lines: int = 8) -> str:
    return "\n".join(re.split(r"\r?\n", path.read_text(errors="replace").strip())[-lines:])
