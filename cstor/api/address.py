"""Whether the API can listen where it is told to."""

from __future__ import annotations

import contextlib
import socket
import time

from cstor.config import ConfigError, split_address


def check_free(listen: str, patience_s: float = 0.0) -> None:
    """ConfigError if not: gunicorn would try for five seconds and then say it in five lines.

    After a crash the API of the dead node may need some seconds to end: `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            _probe(listen)
            return
        except ConfigError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)


def _probe(listen: str) -> None:
    host, port = split_address(listen)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {listen}: {error.strerror}; change listen, or stop what runs there"
        ) from None
