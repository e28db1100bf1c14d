"""Test of a connection that says each step: where it stops is what has to be mended."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from monitors.models import Node
from monitors.nodes.certificate import told_certificate
from monitors.nodes.client import CONNECT_S, NodeClient, NodeError
from monitors.nodes.health import STATUS_S, spoken
from monitors.nodes.resolve import ResolveError, is_address, resolve
from monitors.nodes.tls import Trust, context_of, refusal
from monitors.series.tiers import UTC

CLOCK_MS = 2000


@dataclass(frozen=True)
class Step:
    """One step; `state` is ok, warning or failed."""

    label: str
    state: str
    words: str

    @property
    def colour(self) -> str:
        return {"ok": "green", "warning": "amber"}.get(self.state, "red")


@dataclass
class Probe:
    """The steps up to the first that failed, and the node's status if it came to that."""

    steps: list[Step] = field(default_factory=list)
    status: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        return bool(self.steps) and all(step.state != "failed" for step in self.steps)

    @property
    def error(self) -> str:
        return next((step.words for step in self.steps if step.state == "failed"), "")


def probe(node: Node) -> Probe:
    """Name, connection, TLS, answer, token, version, clock; nothing is written."""
    found = Probe()
    parts = urlsplit(node.url)
    host, is_tls = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    try:
        addresses = [host] if is_address(host) else resolve(host)
    except ResolveError as problem:
        found.steps.append(Step("Name", "failed", str(problem)))
        return found
    if not is_address(host):
        found.steps.append(Step("Name", "ok", f"{host} is {', '.join(addresses)}"))
    connection = _connect(found, addresses, port)
    if connection is None:
        return found
    with connection:
        if is_tls and not _shake_hands(found, node, connection, host):
            return found
    _ask(found, node)
    return found


def _connect(found: Probe, addresses: list[str], port: int) -> socket.socket | None:
    words = ""
    for address in addresses:
        start = time.monotonic()
        try:
            connection = socket.create_connection((address, port), timeout=CONNECT_S)
        except OSError as error:
            words = _why(error, f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
            continue
        took_ms = 1000 * (time.monotonic() - start)
        found.steps.append(Step("Connection", "ok", f"{address} port {port} in {took_ms:.1f} ms"))
        return connection
    found.steps.append(Step("Connection", "failed", words))
    return None


def _why(error: OSError, where: str) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"connection refused by {where}: the node's API is not running there"
    if isinstance(error, TimeoutError):
        return f"no connection to {where} within {CONNECT_S:.0f} s: is the node up, and does a firewall let us through?"
    return f"{where} cannot be reached from here: {error.strerror or error}"


def _shake_hands(found: Probe, node: Node, connection: socket.socket, host: str) -> bool:
    trust = Trust.of(node)
    name = trust.name or host
    try:
        context = context_of(trust.verifies, trust.ca_certificate)
        with context.wrap_socket(connection, server_hostname=name) as secure:
            words = _presented(secure)
    except ssl.SSLError as error:
        found.steps.append(Step("TLS", "failed", refusal(urlsplit(node.url).netloc, str(error), trust)))
        return False
    except OSError as error:
        found.steps.append(Step("TLS", "failed", f"the TLS handshake broke off: {error.strerror or error}"))
        return False
    if trust.verifies:
        found.steps.append(Step("TLS", "ok", f"verified for {name}; {words}"))
    else:
        found.steps.append(Step("TLS", "warning", f"not verified, as the form says; {words}"))
    return True


def _presented(secure: ssl.SSLSocket) -> str:
    told = told_certificate(secure.getpeercert(binary_form=True))
    if told is None:
        return f"{secure.version()}"
    until = dt.datetime.fromtimestamp(told["expires"], UTC)
    return f"{secure.version()}, valid until {until:%Y-%m-%d}, issued by {told['issuer'] or 'nobody named'}"


def _ask(found: Probe, node: Node) -> None:
    try:
        status = NodeClient(node, whole_s=STATUS_S).status()
    except NodeError as error:
        found.steps.append(Step("Token" if error.status in (401, 403) else "Answer", "failed", str(error)))
        return
    found.status = status
    accepted = "accepted" if node.token else "none given, and none needed"
    found.steps.append(Step("Token", "ok", accepted))
    name = status.get("name")
    version = status.get("version")
    text = f"cStor {version}" if version else "tells none: is this a cStor node?"
    words = f"{text}, calls itself {name}" if name else text
    found.steps.append(Step("Version", "ok" if version else "warning", words))
    skew_ms = status.get("clock_skew_ms")
    if skew_ms is None:
        found.steps.append(Step("Clock", "warning", "the node does not tell its time"))
    elif abs(skew_ms) > CLOCK_MS:
        side = "ahead of" if skew_ms > 0 else "behind"
        words = f"{spoken(abs(skew_ms) / 1000)} {side} ours: set both by NTP"
        found.steps.append(Step("Clock", "warning", words))
    else:
        found.steps.append(Step("Clock", "ok", f"agrees with ours within {max(1, abs(skew_ms))} ms"))
