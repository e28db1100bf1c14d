"""HTTP client of a cStor node (DESIGN 4.2): the only import of requests in the console.

Every failure becomes a NodeError whose text an operator can act on. Time-outs: 3 s to connect, 10 s between bytes,
30 s for a whole call from its first byte to its last, however the bytes drip; packet streams have no limit as a whole.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from threading import local
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson
import requests
import urllib3
from django.core.exceptions import ValidationError

from monitors.nodes.certificate import told_certificate
from monitors.nodes.deadline import until
from monitors.nodes.frame import MEDIA_TYPE, Stream, TooLong, Torn, opened
from monitors.nodes.tls import Trust, TrustAdapter, refusal
from monitors.secrets import UNREADABLE, Unreadable, validate_token

CONNECT_S = 3.0
READ_S = 10.0
WHOLE_S = 30.0
MAX_LINE_BYTES = 256 << 20
CHUNK_BYTES = 1 << 16

# Who switched verification off in the form of a node knows: no warning at each pull.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

_threads = local()


class NodeError(Exception):
    """A node did not do what was asked; the text says what happened in plain words, `status` its HTTP status if any."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message.replace("\0", ""))  # PostgreSQL has no text with a NUL
        self.status = status


class NodeAddress(Protocol):
    """What a client needs to know of a node; `monitors.models.Node` has it."""

    name: str
    url: str
    token: str
    verify_tls: bool


class NodeClient:
    """Calls of one node's API."""

    def __init__(self, node: NodeAddress, read_s: float | None = None, whole_s: float | None = None) -> None:
        self.name = node.name
        self.url = node.url.rstrip("/")
        self._trust = Trust.of(node)
        self._token = node.token
        self.read_s = READ_S if read_s is None else read_s
        self.whole_s = WHOLE_S if whole_s is None else whole_s
        self.unreadable_lines = 0
        self._deadline: float | None = None

    def status(self) -> dict[str, Any]:
        """The node's own account of itself; added are `clock_skew_ms`, how far its clock is ahead of ours, and over TLS
        `certificate`."""
        sent = time.time()
        with self._call("GET", "status") as response:
            certificate = _certificate(response)
            body = _json(response, self._body(response))
            if not isinstance(body, dict):
                raise NodeError("answered a status that is not a JSON object")
            body["clock_skew_ms"] = _skew_ms(body.get("now"), response.headers.get("Date"), sent, time.time())
            if certificate:
                body["certificate"] = certificate
            return body

    def metrics(self) -> list[dict[str, Any]]:
        """The node's metric registry."""
        with self._call("GET", "metrics") as response:
            body = _json(response, self._body(response))
        return body["metrics"] if isinstance(body, dict) else body

    def series(self, queries: list[dict[str, Any]], as_arrays: bool = False) -> Iterator[dict[str, Any]]:
        """One dict per answered query, as they arrive. Lines that cannot be read are counted and left out. `as_arrays`
        asks for columns that need no reading (monitors/nodes/frame.py); a node may answer lists even so."""
        self.unreadable_lines = 0
        body, headers = orjson.dumps({"queries": queries}), {"Content-Type": "application/json"}
        if as_arrays:
            headers["Accept"] = f"{MEDIA_TYPE}, */*;q=0.5"
        with self._call("POST", "series", params={"encoding": "packed"}, data=body, headers=headers) as response:
            if "html" in response.headers.get("Content-Type", ""):
                raise NodeError("answered a web page instead of series: is this the address of a cStor node?")
            is_framed = MEDIA_TYPE in response.headers.get("Content-Type", "")
            stream = Stream(self._chunks(response), MAX_LINE_BYTES)
            try:
                while (line := stream.line()) is not None:
                    answer = _object(line)
                    if answer is not None and is_framed and "bytes" in answer:
                        answer = opened(answer, stream)
                    if answer is not None:
                        yield answer
                    else:
                        self.unreadable_lines += 1
            except TooLong:
                raise NodeError(f"sent one answer of more than {MAX_LINE_BYTES >> 20} MB") from None
            except Torn:
                raise NodeError(f"the answer of {urlsplit(self.url).netloc} broke off") from None

    def sessions(self, **params: Any) -> dict[str, Any]:
        """Connections, newest first: filter, from, to, order, limit, cursor."""
        with self._call("GET", "sessions", params=params) as response:
            return _json(response, self._body(response))

    def packet_count(self, filter_text: str, start: float, stop: float) -> dict[str, Any]:
        """How many packets match in [start, stop), without sending them."""
        params = {"filter": filter_text, "from": start, "to": stop}
        with self._call("GET", "packets/count", params=params) as response:
            return _json(response, self._body(response))

    @contextmanager
    def packets(
        self, filter_text: str, start: float, stop: float, max_bytes: int | None = None, max_packets: int | None = None
    ) -> Iterator[PacketAnswer]:
        """A pcap stream; its headers are there at once, its bytes while they arrive."""
        params = {"filter": filter_text, "from": start, "to": stop, "max_bytes": max_bytes, "max_packets": max_packets}
        with self._call("GET", "packets", is_stream=True, params=params) as response:
            yield PacketAnswer(dict(response.headers), self._chunks(response))

    @contextmanager
    def _call(self, method: str, path: str, is_stream: bool = False, **options: Any) -> Iterator[requests.Response]:
        """The response of one call if its status is 200; whatever else happens is a NodeError."""
        options["params"] = {key: value for key, value in options.get("params", {}).items() if value is not None}
        self._deadline = None if is_stream else time.monotonic() + self.whole_s
        headers = self._headers() | options.pop("headers", {})
        with self._plain_words(), until(self._deadline):
            response = _session(self._trust).request(
                method,
                f"{self.url}/api/v1/{path}",
                headers=headers,
                timeout=(CONNECT_S, self.read_s),
                stream=True,
                allow_redirects=False,
                **options,
            )
        with response:
            if response.status_code != 200:
                raise NodeError(self._refusal(response), response.status_code)
            yield response

    def _headers(self) -> dict[str, str]:
        """The token, where there is one that a header can carry: requests would print any other in its error."""
        if isinstance(self._token, Unreadable):
            raise NodeError(UNREADABLE)
        try:
            validate_token(self._token)
        except ValidationError:
            raise NodeError("its token has characters that no header can carry: write it again") from None
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if self._trust.name:
            port = urlsplit(self.url).port
            headers["Host"] = f"{self._trust.name}:{port}" if port else self._trust.name
        return headers

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        source = response.iter_content(CHUNK_BYTES)
        while True:
            with self._plain_words():
                chunk = next(source, None)
            if chunk is None:
                return
            yield chunk

    def _body(self, response: requests.Response) -> bytes:
        return b"".join(self._chunks(response))

    @contextmanager
    def _plain_words(self) -> Iterator[None]:
        host = urlsplit(self.url).netloc
        try:
            yield
        except ssl.SSLError:
            raise NodeError("its CA certificate cannot be read: paste it as PEM into the form of the node") from None
        except requests.exceptions.SSLError as error:
            raise NodeError(refusal(host, _innermost(error), self._trust)) from None
        except requests.exceptions.ConnectTimeout:
            raise NodeError(
                f"no connection to {host} within {CONNECT_S:.0f} s: is the node up and reachable?"
            ) from None
        except requests.exceptions.ReadTimeout:
            raise NodeError(self._silence(host)) from None
        except requests.exceptions.ConnectionError as error:
            silent = "timed out" in str(error)
            raise NodeError(self._silence(host) if silent else _connection_words(host, str(error))) from None
        except requests.exceptions.RequestException as error:
            raise NodeError(f"the answer of {host} broke off or is no HTTP: {_innermost(error)}") from None

    def _without_token(self, text: str) -> str:
        """What we show and log never repeats the token, even where the node's answer does."""
        return text.replace(self._token, "…") if self._token else text

    def _silence(self, host: str) -> str:
        """Which of the limits was reached."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return f"took longer than {self.whole_s:.0f} s to answer"
        return f"{host} accepted the call but sent nothing for {self.read_s:.0f} s"

    def _refusal(self, response: requests.Response) -> str:
        detail = ""
        try:
            body = json.loads(self._body(response)[:10_000])
            detail = str(body.get("detail") or body.get("title") or "") if isinstance(body, dict) else ""
            detail = self._without_token(detail)
        except (ValueError, NodeError):
            pass
        status = response.status_code
        if status in (401, 403):
            return f"refused our token ({status}): {detail or 'set the right token in the form of the node'}"
        if status in (301, 302, 307, 308):
            location = str(response.headers.get("Location"))
            return f"redirects to {self._without_token(location)}: use that address for the node"
        if status == 404 and not detail:
            return "answered 404: is this the address of a cStor node?"
        return f"answered {status}: {detail or response.reason}"


class PacketAnswer:
    """Headers and bytes of a packet download."""

    def __init__(self, headers: dict[str, str], chunks: Iterable[bytes]) -> None:
        self.headers = headers
        self.chunks = chunks


def _session(trust: Trust) -> requests.Session:
    """One connection pool per thread and trust; proxies and .netrc of the environment are left alone, nodes are
    neighbours."""
    sessions: dict[Trust, requests.Session] = _threads.__dict__.setdefault("sessions", {})
    if trust not in sessions:
        adapter = TrustAdapter(trust)
        sessions[trust] = requests.Session()
        sessions[trust].trust_env = False
        sessions[trust].mount("http://", adapter)
        sessions[trust].mount("https://", adapter)
    return sessions[trust]


def _certificate(response: requests.Response) -> dict[str, Any] | None:
    """What the node presented, also where nobody verified it; before the body is read, which lets the connection
    go."""
    return told_certificate(getattr(getattr(response.raw, "connection", None), "presented", None))


def _object(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line, None if it has none."""
    try:
        answer = orjson.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _json(response: requests.Response, body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NodeError(f"answered something that is not JSON: {body[:60]!r}") from None


def _skew_ms(now: Any, date: str | None, sent: float, received: float) -> int | None:
    """How far the node's clock is ahead of ours, as far as it is certain: it read its clock at some time between our
    question and its answer. Its Date header, where the status has no `now`, has whole seconds only."""
    earliest, latest = sent, received
    if isinstance(now, int | float) and not isinstance(now, bool) and 0 < now < 1e11:
        theirs = float(now)
    else:
        try:
            theirs = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, TypeError):
            return None
        earliest -= 1.0
    return round(1000 * (min(0.0, theirs - earliest) if theirs < earliest else max(0.0, theirs - latest)))


def _connection_words(host: str, text: str) -> str:
    if "refused" in text:
        return f"connection refused by {host}: the node's API is not running there"
    if "resolve" in text or "Name or service" in text or "nodename" in text:
        return f"the host name in {host} is not known"
    if "No route" in text or "unreachable" in text:
        return f"{host} cannot be reached from here"
    return f"the connection to {host} broke off"


def _innermost(error: BaseException) -> str:
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    return str(getattr(error, "reason", None) or error)[:200]
