"""GET packets and GET packets/count: a search over the served store, as a stream of pcap or as a number.

The head of an answer leaves when the first packet is found or the search is over, so an answer without packets is a
problem that says why, not an empty file. After that a fault can only be told by ending the stream without its last
chunk: whoever reads it knows that it is not whole.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from typing import Any

from django.http import JsonResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view, renderer_classes
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from cstor.api.problems import Problem, bad_request
from cstor.api.store import store_dir
from cstor.api.times import read_ns
from cstor.search.command import why_empty
from cstor.search.export import FORMATS, MixedLinkTypes, encoded, refuse_mixed
from cstor.search.plan import SearchPlan, make_plan
from cstor.search.run import Search
from cstor.store.layout import SECOND_NS, StoreError
from cstor.store.timetext import time_text
from wire.filters.bpf import LibpcapMissing
from wire.filters.grammar import FilterError, parse
from wire.filters.packets import PacketFilter
from wire.packets.capturefile import CaptureError

log = logging.getLogger("cstor.api")

MAX_BYTES = 1 << 30  # of one answer, where the caller names no limit
MAX_SEARCHES = 3  # at a time: each keeps a thread of the API and one core busy
BUSY = threading.BoundedSemaphore(MAX_SEARCHES)

_COMMON = ("filter", "from", "to", "outer")
_STREAM = (*_COMMON, "max_bytes", "max_packets", "format")


class _AsPcap(JSONRenderer):
    """Lets a caller say `Accept: application/vnd.tcpdump.pcap`; what is rendered is only ever a problem."""

    media_type = FORMATS["pcap"]
    format = "pcap"


class _AsPcapng(_AsPcap):
    media_type = FORMATS["pcapng"]
    format = "pcapng"


class _Stream:
    """The pieces of an answer; closing it, which Django does in any case, ends the search and frees its place."""

    def __init__(self, pieces: Generator[bytes], first: list[bytes]) -> None:
        self._pieces = pieces
        self._first = first
        self._is_open = True

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> bytes:
        if self._first:
            return self._first.pop(0)
        try:
            return next(self._pieces)
        except StopIteration:
            self.close()
            raise
        except Exception as error:
            log.warning("a packet answer breaks off: %s", error)
            self.close()
            raise

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._pieces.close()
            BUSY.release()


@extend_schema(
    parameters=[OpenApiParameter(name, OpenApiTypes.STR) for name in _STREAM],
    responses={(200, FORMATS["pcap"]): OpenApiTypes.BINARY},
)
@api_view(["GET"])
@renderer_classes([JSONRenderer, _AsPcap, _AsPcapng])
def packets(request: Request) -> StreamingHttpResponse:
    """Packets of [from, to) that match, in time order, as a capture file with nanoseconds."""
    given = _given(request, _STREAM)
    form = given.get("format", "pcap")
    if form not in FORMATS:
        raise bad_request(f"'format' is pcap or pcapng, not {form!r}")
    max_packets, max_bytes = _number(given, "max_packets"), _number(given, "max_bytes") or MAX_BYTES
    chosen, plan = _planned(given)
    _enter()
    try:
        search = Search(plan, chosen, max_packets, max_bytes)
        if form == "pcap":
            refuse_mixed(plan, chosen)
        pieces = encoded(search, form)
        first = [next(pieces)]
        while not search.packets and (piece := next(pieces, None)) is not None:
            first.append(piece)
        if not search.packets:
            raise _nothing(search)
    except BaseException as error:
        BUSY.release()
        raise _problem(error) from None
    response = StreamingHttpResponse(_Stream(pieces, first), content_type=FORMATS[form])
    response["X-Planned-Packets"] = str(min(plan.packets, max_packets or plan.packets))
    response["X-Kept-From"] = _kept_from(plan)
    response["X-Limit"] = f"{max_bytes} bytes" + (f", {max_packets} packets" if max_packets else "")
    response["Content-Disposition"] = f'attachment; filename="packets.{form}"'
    response["Content-Encoding"] = "identity"  # packets hardly shrink: the gzip middleware is to leave them alone
    return response


@extend_schema(parameters=[OpenApiParameter(name, OpenApiTypes.STR) for name in _COMMON], responses=OpenApiTypes.OBJECT)
@api_view(["GET"])
def packet_count(request: Request) -> JsonResponse:
    """How many packets of [from, to) match, and how many bytes a pcap of them has."""
    chosen, plan = _planned(_given(request, _COMMON))
    _enter()
    try:
        search = Search(plan, chosen)
        search.count()
    except BaseException as error:
        raise _problem(error) from None
    finally:
        BUSY.release()
    answer: dict[str, Any] = {"packets": search.packets, "bytes": search.bytes, "scanned": search.scanned}
    answer["kept_from"] = _kept_from(plan) or None
    notes = list(plan.left_out) if search.packets else [*plan.left_out, why_empty(plan)]
    if plan.kept_from_ns is not None and 0 < plan.start_ns < plan.kept_from_ns and search.packets:
        notes.append(f"packets before {_kept_from(plan)} are not kept")
    if notes:
        answer["note"] = "; ".join(notes)
    return JsonResponse(answer)


def _given(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = request.query_params.dict()
    unknown = set(given) - set(known)
    if unknown:
        raise bad_request(f"unknown parameter {min(unknown)!r}; known: {', '.join(known)}")
    return given


def _number(given: dict[str, str], name: str) -> int | None:
    if not given.get(name):
        return None
    if not given[name].isdecimal() or int(given[name]) < 1:
        raise bad_request(f"{name!r} is a whole number above 0, not {given[name]!r}")
    return int(given[name])


def _planned(given: dict[str, str]) -> tuple[PacketFilter, SearchPlan]:
    text = given.get("filter", "")
    start_ns, end_ns = read_ns(given.get("from"), "from"), read_ns(given.get("to"), "to")
    if start_ns is not None and end_ns is not None and end_ns <= start_ns:
        raise bad_request("'to' must be later than 'from'")
    try:
        outer = given.get("outer", "").lower() in ("1", "true", "yes")
        chosen = PacketFilter(parse(text), outer, text)
        return chosen, make_plan(store_dir(), chosen, start_ns, end_ns)
    except (FilterError, LibpcapMissing, StoreError) as error:
        raise _problem(error) from None


def _enter() -> None:
    if not BUSY.acquire(blocking=False):
        detail = f"this node runs {MAX_SEARCHES} packet searches already; try again when one has ended"
        raise Problem(429, "Too many searches", detail)


def _nothing(search: Search) -> Problem:
    return Problem(404, "No packets", why_empty(search.plan), kept_from=_kept_from(search.plan) or None, packets=0)


def _kept_from(plan: SearchPlan) -> str:
    return "" if plan.kept_from_ns is None else time_text(plan.kept_from_ns // SECOND_NS)


def _problem(error: BaseException) -> BaseException:
    """What the caller is told of an error before the first byte."""
    match error:
        case FilterError():
            return Problem(400, "Bad filter", str(error), pointer=error.pointer(), column=error.column)
        case LibpcapMissing():
            return Problem(503, "Not available", str(error))
        case MixedLinkTypes():
            return Problem(422, "Mixed link types", str(error))
        case CaptureError() | StoreError():
            return Problem(500, "Store damaged", str(error))
        case _:
            return error
