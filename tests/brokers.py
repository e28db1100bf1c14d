"""Redis and RabbitMQ from the system's packages: one server of each test's own, on loopback ports, killed at will."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

import psutil

START_S = 90


class Broker(ABC):
    """A server program with a folder of its own."""

    name = ""
    program = ""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"cclear-{self.name}-"))
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def command(self) -> list[str]: ...

    def environment(self) -> dict[str, str]:
        return {}

    @classmethod
    def is_installed(cls) -> bool:
        return shutil.which(cls.program) is not None or Path(cls.program).exists()

    def start(self) -> None:
        """Start it, on the port and with the data of the last time, and wait until it takes connections."""
        if not self.port:
            (self.port,) = free_ports(1)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env=os.environ | self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """`kill -9`, with all that it started."""
        assert self._process is not None
        family = [psutil.Process(self._process.pid)]
        family += family[0].children(recursive=True)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        self._process.wait()

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


class Redis(Broker):
    name = "redis"
    program = "redis-server"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            self.program,
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--appendonly", "yes"),
        ]


class RabbitMQ(Broker):
    name = "rabbitmq"
    # The one in the path changes to the system's user first, who cannot reach the test's folder.
    program = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self) -> list[str]:
        return [self.program]

    def environment(self) -> dict[str, str]:
        if not hasattr(self, "_ports"):
            self._ports = free_ports(2)
        mapper, distribution = self._ports
        return {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"cclear{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            # Its port mapper stays behind as a daemon: one of our own, on a port of our own, ended with it.
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "no-plugins"),
        }

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mapper = str(self.environment()["ERL_EPMD_PORT"])
        super().__exit__(kind, error, trace)
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "epmd" and process.environ().get("ERL_EPMD_PORT") == mapper:
                    process.send_signal(signal.SIGKILL)


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on, all held until the last is chosen."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
