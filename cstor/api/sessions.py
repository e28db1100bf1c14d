"""GET sessions: connections, newest first, page by page."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request

from cstor.api.problems import bad_request
from cstor.api.readers import session_reader
from cstor.api.series import problem_of
from cstor.api.times import read_ns
from cstor.store.session_json import session_line

_PARAMETERS = ("filter", "from", "to", "order", "limit", "cursor")


@extend_schema(
    parameters=[OpenApiParameter(name, OpenApiTypes.STR) for name in _PARAMETERS], responses=OpenApiTypes.OBJECT
)
@api_view(["GET"])
def sessions(request: Request) -> HttpResponse:
    """Sessions that overlap [from, to) and match; `cursor` of an answer asks for its next page."""
    given = request.query_params.dict()
    unknown = set(given) - set(_PARAMETERS)
    if unknown:
        raise bad_request(f"unknown parameter {min(unknown)!r}; known: {', '.join(_PARAMETERS)}")
    times = {"start_ns": read_ns(given.get("from"), "from"), "end_ns": read_ns(given.get("to"), "to")}
    try:
        page = session_reader().page({**given, **times})
    except ValueError as error:
        raise problem_of(error) from None
    head = (
        f'"count": {len(page.rows)}, "complete_until": {page.snapshot.complete_until}, '
        f'"kept_from": {_number(page.snapshot.kept_from)}, "cursor": {_text(page.cursor)}'
    )
    # Built by hand: times keep their nanoseconds, which floats would lose.
    lines = ",\n".join(session_line(row) for row in page.rows)
    return HttpResponse(f'{{{head}, "sessions": [\n{lines}\n]}}', content_type="application/json")


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _text(value: str | None) -> str:
    return "null" if value is None else f'"{value}"'
