"""POST and GET series: analytics of conversations, of links and of the node itself.

Questions are those of cstor/store/query.py, answers those of answer.py. POST takes up to 200 questions and answers
NDJSON, a line for each in turn (to who accepts them with `packed` questions, frames: answer_frame.py); a question that
is wrong gets a line {"id": ..., "error": {problem}}, the others their answers. GET asks one question by its parameters
and answers JSON.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from cstor.api.problems import Problem, bad_request
from cstor.api.readers import series_reader
from cstor.api.times import read_seconds
from cstor.store.answer_frame import MEDIA_TYPE, as_frame
from cstor.store.answer_text import as_text
from cstor.store.series import Answer
from wire.filters.error import FilterError

MAX_QUERIES = 200
_GZIP = 31  # zlib's word for gzip's frame around the largest window

log = logging.getLogger("cstor.api")

_TEXTS = ("subject", "filter", "by", "metrics", "from", "to", "order", "points", "encoding", "id")
_NUMBERS = ("step", "limit", "totals", "plan")


class SeriesView(APIView):
    """Bases per bucket and group of conversations, links (points) or the node's own counters (node)."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={(200, "application/x-ndjson"): OpenApiTypes.OBJECT})
    def post(self, request: Request) -> StreamingHttpResponse:
        """{"queries": [{id, subject, filter, by, metrics, from, to, step, order, limit, keep, totals, points,
        plan}]}
        """
        body = request.data
        queries = body.get("queries") if isinstance(body, dict) else None
        if not isinstance(queries, list):
            raise bad_request('send an object {"queries": [...]}')
        if len(queries) > MAX_QUERIES:
            raise bad_request(f"{len(queries)} queries are too many for one call; send at most {MAX_QUERIES}")
        encoding = request.query_params.get("encoding")
        in_frames = MEDIA_TYPE in request.headers.get("Accept", "")
        lines, packed = shrunk(_lines(queries, encoding, in_frames), request)
        kind = MEDIA_TYPE if in_frames else "application/x-ndjson"
        return StreamingHttpResponse(lines, content_type=kind, headers=packed)

    @extend_schema(
        parameters=[OpenApiParameter(name, OpenApiTypes.STR) for name in _TEXTS]
        + [OpenApiParameter(name, OpenApiTypes.INT) for name in _NUMBERS],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> HttpResponse:
        """The same for one query. `by`, `metrics` and `order` take names with commas between them."""
        (answer,) = series_reader().answers([_with_seconds(request.query_params.dict())])
        if isinstance(answer, Exception):
            raise problem_of(answer)
        text, packed = shrunk([as_text(answer)], request)
        return HttpResponse(b"".join(text), content_type="application/json", headers=packed)


def shrunk(parts: Iterable[bytes], request: Request) -> tuple[Iterable[bytes], dict[str, str]]:
    """Parts of a body as the client takes them, and the headers that say so: level 1 of gzip takes a fifth of the time
    of the usual level 6, which costs more than the answer itself, and its output is a tenth larger."""
    headers = {"Vary": "Accept, Accept-Encoding"}
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return parts, headers
    return _gzipped(parts), headers | {"Content-Encoding": "gzip"}


def _gzipped(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Each part leaves at once."""
    packer = zlib.compressobj(1, wbits=_GZIP)
    for part in parts:
        yield packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _lines(queries: list[Any], encoding: str | None, in_frames: bool) -> Iterator[bytes]:
    raws = [_prepared(query, encoding) for query in queries]
    for raw, answer in zip(raws, series_reader().answers(raws), strict=True):
        if in_frames and isinstance(answer, Answer) and answer.query.packed:
            yield as_frame(answer)
        else:
            yield _line(raw, answer) + b"\n"


def _prepared(raw: Any, encoding: str | None) -> Any:
    if not isinstance(raw, dict):
        return raw
    if encoding and "encoding" not in raw:
        raw = {**raw, "encoding": encoding}
    try:
        return _with_seconds(raw)
    except Problem:
        return raw  # the query's own check says what is wrong


def _line(raw: Any, answer: Answer | Exception) -> bytes:
    if isinstance(answer, Answer):
        return as_text(answer)
    given = raw.get("id") if isinstance(raw, dict) else None
    return json.dumps({"id": given, "error": problem_of(answer).as_dict()}).encode()


def _with_seconds(raw: dict[str, Any]) -> dict[str, Any]:
    """`from` and `to` may be RFC 3339."""
    times = {name: read_seconds(raw[name], name) for name in ("from", "to") if isinstance(raw.get(name), str)}
    return {**raw, **times}


def problem_of(error: Exception) -> Problem:
    """What a question's error looks like to who asked."""
    if isinstance(error, FilterError):
        return Problem(400, "Bad filter", str(error), pointer=error.pointer(), column=error.column)
    if isinstance(error, duckdb.OutOfMemoryException):
        return Problem(422, "Too large", "the answer does not fit into the node's memory; take a shorter range")
    if isinstance(error, ValueError):
        return bad_request(str(error))
    log.error("a series query failed", exc_info=error)
    return Problem(500, "Internal error", "the node could not answer; its log says why")
