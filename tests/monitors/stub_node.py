"""A node for tests: a real HTTP server on a loopback port that answers as a cStor node does (DESIGN 4.2).

Its traffic is constructed: `StubNode.add(...)` puts a conversation into a second. It can also be down, slow, cut an
answer short or talk nonsense, which a real node does not do on request.
"""

from __future__ import annotations

import base64
import json
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from cstor.metrics.histogram import bin_of, from_bytes, merge, pack, to_bytes
from cstor.metrics.registry import BASES, HISTOGRAMS, SCALARS

Key = dict[str, Any]
MERGE = {"sum": sum, "min": min, "max": max}


@dataclass
class Row:
    """One conversation in one second: its keys and its bases, histograms as the bytes of their pairs."""

    t: int
    keys: Key
    bases: dict[str, Any]


@dataclass
class StubNode:
    """Its data, what it says of itself, and how it misbehaves."""

    name: str = "stub"
    rows: list[Row] = field(default_factory=list)
    complete_until: float | None = None
    kept_from: int | None = None
    observed: list[list[float]] | None = None
    revisions: dict[str, int] = field(default_factory=dict)
    token: str = ""
    status: dict[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0
    answer_with: Callable[[dict[str, Any]], dict[str, Any] | str] | None = None
    cut_after: int | None = None  # lines
    http_status: int = 200
    body: bytes | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    verify_tls: bool = True
    port: int = 0
    host: str = "127.0.0.1"

    def add(self, t: int, client: str = "10.0.0.1", server: str = "10.0.1.1", port: int = 443, **bases: Any) -> None:
        """A conversation's second. `response_time=[ns, ...]` makes histogram and scalars of the samples."""
        found: dict[str, Any] = {}
        for key, value in (bases or {"packets_client": 1, "bytes_client": 100}).items():
            if key in BASES and BASES[key].kind == "histogram":
                found |= {f"{key}_count": len(value), f"{key}_sum": sum(value)}
                found |= {f"{key}_min": min(value), f"{key}_max": max(value)}
                found[key] = pack(bin_of(value), [1] * len(value))
            else:
                found[key] = value
        keys = {"client_ip": client, "server_ip": server, "server_port": port, "protocol": 6, "vni": None}
        self.rows.append(Row(t, keys, found))

    # --- life ---------------------------------------------------------------------------------------------------

    def start(self) -> StubNode:
        """Listen; on the port of the last time, so that a node that was down comes back where it was."""
        handler = type("Handler", (_Handler,), {"node": self})
        self._server = ThreadingHTTPServer((self.host, self.port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> StubNode:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    # --- answers ------------------------------------------------------------------------------------------------

    def say_status(self) -> dict[str, Any]:
        times = [row.t for row in self.rows]
        span = {"oldest_bucket": min(times), "newest_bucket": max(times)} if times else {}
        head = {"name": self.name, "version": "stub", "complete_until": self.complete, "revisions": self.revisions}
        return {**head, **span, **self.status}

    def say_series(self, query: dict[str, Any]) -> dict[str, Any] | str:
        """One line of the answer."""
        if self.answer_with is not None:
            return self.answer_with(query)
        return series(self, query)

    @property
    def complete(self) -> float:
        return time.time() - 2 if self.complete_until is None else self.complete_until


def series(node: StubNode, query: dict[str, Any]) -> dict[str, Any]:
    """The rows of a query, merged and ranked as DESIGN 4.2 says."""
    step, start, stop = query["step"], query["from"], query["to"]
    rows = [row for row in node.rows if start <= row.t < stop and _matches(row, query.get("filter", ""))]
    grouped: dict[tuple[Any, ...], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for key in _keys(row, query["by"]):
            grouped[key][row.t // step * step].append(row)
    head = {
        "id": query["id"],
        "step": step,
        "from": start,
        "to": stop,
        "complete_until": node.complete,
        "kept_from": node.kept_from,
        "observed": [[start, node.complete]] if node.observed is None else node.observed,
        "revisions": node.revisions,
        "groups": len(grouped),
    }
    if query.get("plan"):
        kept = min(len(grouped), query["limit"]) if query["by"] else 1
        rows = kept + (kept < len(grouped) and bool(query["by"]))
        return {**head, "plan": {"groups": len(grouped), "kept": kept, "rows_per_bucket": rows}}
    return {**head, "columns": _columns(grouped, query)}


def _matches(row: Row, text: str) -> bool:
    """The one kind of filter the stub knows: 'port N'."""
    return not text or text == f"port {row.keys['server_port']}"


def _keys(row: Row, by: list[str]) -> list[tuple[Any, ...]]:
    if "host" in by:
        return [
            tuple(row.keys[end] if key == "host" else row.keys[key] for key in by) for end in ("client_ip", "server_ip")
        ]
    return [tuple(row.keys[key] for key in by)]


def _columns(grouped: dict[tuple[Any, ...], dict[int, list[Row]]], query: dict[str, Any]) -> dict[str, Any]:
    by, kept = query["by"], set(grouped)
    if by:
        volume = {key: sum(_bytes(row) for rows in times.values() for row in rows) for key, times in grouped.items()}
        kept = set(sorted(volume, key=lambda key: (-volume[key], str(key)))[: query["limit"]])
        kept |= {tuple(wanted.get(key) for key in by) for wanted in query.get("keep") or ()} & set(grouped)
    cells: dict[tuple[str, tuple[Any, ...], int], list[Row]] = defaultdict(list)
    for key, times in grouped.items():
        for t, rows in times.items():
            cells[("group", key, t) if key in kept else ("other", (None,) * len(by), t)] += rows
            if by and query.get("totals"):
                cells["total", (None,) * len(by), t] += rows
    order = sorted(cells, key=lambda cell: (cell[2], cell[0], str(cell[1])))
    merged = [_merged(cells[cell]) for cell in order]
    columns: dict[str, Any] = {"t": [t for _, _, t in order]}
    for number, key in enumerate(by):
        columns[key] = [values[number] for _, values, _ in order]
    columns["is_other"] = [kind == "other" for kind, _, _ in order]
    columns["is_total"] = [kind == "total" for kind, _, _ in order]
    for base in SCALARS:
        column = [row.get(base.key) for row in merged]
        if any(column):
            columns[base.key] = column
    for base in HISTOGRAMS:
        blobs = [row.get(base.key, b"") for row in merged]
        if any(blobs):
            pairs = base64.b64encode(b"".join(blobs)).decode()
            columns[base.key] = {"lengths": [len(blob) // 4 for blob in blobs], "pairs": pairs}
    return columns


def _bytes(row: Row) -> int:
    return row.bases.get("bytes_client", 0) + row.bases.get("bytes_server", 0)


def _merged(rows: list[Row]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key in {key for row in rows for key in row.bases}:
        values = [row.bases[key] for row in rows if key in row.bases]
        kind = BASES[key].kind
        if kind == "histogram":
            cells = from_bytes(values)
            out[key] = to_bytes(merge(cells, np.zeros(len(values), dtype=np.int64), 1))[0]
        else:
            out[key] = MERGE[kind](values)
    return out


class _Handler(BaseHTTPRequestHandler):
    node: StubNode
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self._refused():
            path = urlsplit(self.path).path
            found = {"/api/v1/status": self.node.say_status, "/api/v1/metrics": lambda: {"metrics": []}}.get(path)
            self._send(200 if found else 404, json.dumps(found() if found else {"title": "Not found"}).encode())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        call = json.loads(raw)
        self.node.calls.append(call)
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Connection", "close")
            self.end_headers()
            for number, query in enumerate(call["queries"]):
                if number == self.node.cut_after:
                    return
                line = self.node.say_series(query)
                self._chunk((line if isinstance(line, str) else json.dumps(line)).encode() + b"\n")
            self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _refused(self) -> bool:
        node = self.node
        if node.delay_s:
            time.sleep(node.delay_s)
        if node.token and self.headers.get("Authorization") != f"Bearer {node.token}":
            self._send(401, json.dumps({"title": "Token required", "detail": "send a bearer token"}).encode())
            return True
        if node.body is not None or node.http_status != 200:
            self._send(node.http_status, node.body or b"{}")
            return True
        return False

    def _send(self, status: int, body: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            # A connection that was kept open would outlive stop().
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what matters is in `calls`."""
