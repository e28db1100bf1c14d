"""Host names for tests: what the system's resolver answers, without a name server.

Only `socket.getaddrinfo` is replaced, for names under .test; connections then go to loopback addresses that are real.
"""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

ANSWER: Any = socket.getaddrinfo


class Names:
    """`set("cluster.test", "127.0.0.2", ...)`; no addresses: the name is not known."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, ...]] = {}
        self.error: int | None = None
        self.delay_s = 0.0
        self.asked = 0

    def set(self, name: str, *addresses: str) -> None:
        self.known[name] = addresses

    def answer(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if not str(host).endswith(".test"):
            return ANSWER(host, port, *args, **kwargs)
        self.asked += 1
        time.sleep(self.delay_s)
        if self.error is not None:
            raise socket.gaierror(self.error, "as told")
        if not self.known.get(host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = []
        for address in self.known[host]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            where = (address, port or 0, 0, 0) if family == socket.AF_INET6 else (address, port or 0)
            found.append((family, socket.SOCK_STREAM, 6, "", where))
        return found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.answer)
    return found
