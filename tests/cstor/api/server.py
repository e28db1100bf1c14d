"""A real server over a store, on a port of its own, as `python -m cstor serve` starts it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[3]


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """Calls of a running API."""

    def __init__(self, address: str, process: subprocess.Popen[str]) -> None:
        self.address = address
        self.process = process

    def call(self, path: str, body: Any = None, method: str | None = None, **headers: str) -> Reply:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers} if data is not None else headers
        request = urllib.request.Request(f"http://{self.address}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Reply(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())

    def lines(self, body: Any, path: str = "/api/v1/series") -> list[Any]:
        reply = self.call(path, body)
        assert reply.status == 200, reply.body
        assert reply.headers["Content-Type"] == "application/x-ndjson"
        return [json.loads(line) for line in reply.body.splitlines()]


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(store: Path, *options: str) -> Iterator[Server]:
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "cstor", "serve", "--store", str(store), "--listen", address, *options]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    server = Server(address, process)
    try:
        await_answer(server)
        yield server
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


def await_answer(server: Server, seconds: float = 90) -> None:
    """Until healthz answers at all."""
    end = time.monotonic() + seconds
    while True:
        try:
            server.call("/healthz")
            return
        except OSError:
            assert server.process.poll() is None, server.process.stderr.read() if server.process.stderr else "it ended"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.1)
