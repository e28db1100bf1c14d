"""The broker over HTTP: /healthz for load balancers, /metrics for Prometheus. Nothing can be changed through it."""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6

from cvu.address import ConfigError
from cvu.stats import Stats

SILENT_MOST_S = 5.0


class Api:
    """Serves from a thread of its own between `start` and `stop`."""

    def __init__(self, stats: Stats, host: str, port: int) -> None:
        self._stats = stats
        self._where = (host, port)
        self._server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; the port is the system's choice if 0 was asked for."""
        assert self._server is not None
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Listen; ConfigError if the address is taken."""
        server = type("Server", (_Server,), {"address_family": AF_INET6}) if ":" in self._where[0] else _Server
        try:
            self._server = server(self._where, _handler(self._stats))
        except OSError as error:
            host, port = self._where
            raise ConfigError(f"cannot listen on {host}:{port} (TCP): {error.strerror}; set another `http`") from None
        threading.Thread(target=self._server.serve_forever, name="api", daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def health(stats: Stats, now_s: float) -> tuple[HTTPStatus, str]:
    """Whether the loop is at work."""
    silent_s = now_s - stats.alive_at
    if silent_s > SILENT_MOST_S:
        return HTTPStatus.SERVICE_UNAVAILABLE, f"the loop has not come round for {silent_s:.0f} s\n"
    return HTTPStatus.OK, "ok\n"


def _handler(stats: Stats) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._answer(*health(stats, time.monotonic()))
            elif self.path == "/metrics":
                self._answer(HTTPStatus.OK, stats.prometheus(), "text/plain; version=0.0.4; charset=utf-8")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "there are /healthz and /metrics\n")

        def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8") -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Requests of a monitoring system are no news."""

    return Handler
