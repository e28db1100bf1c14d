"""HTTP connections for nodes: a limit for the whole call, and the operator's own CA.

A node that drips one byte now and then satisfies every read time-out. Here each read of the socket waits for the read
time-out or for what is left of the call, whichever is shorter: while the head of an answer is read, in its body, within
TLS, and also where a library fills a buffer in a loop of its own.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from threading import local
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_call = local()


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """Calls that this thread begins here end at this moment of the monotonic clock, their bodies too; None: never."""
    _call.deadline = deadline
    try:
        yield
    finally:
        _call.deadline = None


class _Reads(io.RawIOBase):
    """A socket's bytes, each read within what is left of the call that it was opened for."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw: Any = sock.makefile("rb", buffering=0)
        self._read_s = sock.gettimeout()
        self._deadline: float | None = getattr(_call, "deadline", None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the call took too long")
            self._sock.settimeout(left if self._read_s is None else min(left, self._read_s))
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Socket:
    """What an HTTPResponse asks of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self._sock), 1 << 16)


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(_Socket(sock), *args, **kwargs)  # type: ignore[arg-type]


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    """`presented`: the certificate (DER) of the other side, known also when the socket is closed already."""

    response_class = _Response
    presented: bytes | None = None

    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, ssl.SSLSocket):
            self.presented = self.sock.getpeercert(binary_form=True)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class NodeAdapter(HTTPAdapter):
    """Connections whose reads end with the call, see `until`; certificates are checked against `ca` (PEM) if given."""

    def __init__(self, ca: str = "") -> None:
        self._context = ssl.create_default_context(cadata=ca) if ca else None
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:
        # requests would add the public authorities to the operator's own.
        if self._context is None or not verify:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
