"""Errors of the API as RFC 9457 problem details: one shape for every refusal, whoever raises it.

A view raises `Problem`; DRF's own errors (parse, authentication, unknown path) are turned into the same shape here.
"""

from __future__ import annotations

import logging
from typing import Any

from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

log = logging.getLogger("cstor.api")

TITLES = {
    400: "Bad request",
    401: "Token required",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    413: "Request too large",
    415: "Unsupported media type",
    422: "Cannot be answered",
    429: "Too many requests",
    500: "Internal error",
    501: "Not yet served",
    503: "Not available",
}
CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal that says what to do; `detail` is one sentence in plain words, `extra` members are added."""

    def __init__(self, status: int, title: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.extra = extra

    def as_dict(self) -> dict[str, Any]:
        return {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail, **self.extra}


def bad_request(detail: str, **extra: Any) -> Problem:
    """A request that is wrong in itself."""
    return Problem(400, TITLES[400], detail, **extra)


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: every error of a view leaves as problem+json; an unforeseen one is logged whole."""
    problem = from_exception(error)
    response = Response(problem.as_dict(), status=problem.status, content_type=CONTENT_TYPE)
    if problem.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    wait = getattr(error, "wait", None)
    if wait is not None:
        response["Retry-After"] = str(int(wait) + 1)
    return response


def from_exception(error: Exception) -> Problem:
    """The problem that tells of `error`."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Http404):
        return Problem(404, TITLES[404], str(error) or "there is nothing at this address")
    if isinstance(error, exceptions.APIException):
        status = error.status_code
        return Problem(status, TITLES.get(status, "Error"), _words(error.detail))
    log.error("unforeseen error in the API", exc_info=error)
    return Problem(500, TITLES[500], "the node could not answer; its log says why")


def _words(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{key}: {_words(value)}" for key, value in detail.items())
    if isinstance(detail, list):
        return ", ".join(_words(value) for value in detail)
    return str(detail)


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Django's handler for unknown paths."""
    problem = Problem(404, TITLES[404], f"no call at {request.path}; the list is at /api/schema/")
    return JsonResponse(problem.as_dict(), status=404, content_type=CONTENT_TYPE)


def failed(request: HttpRequest) -> JsonResponse:
    """Django's handler for errors outside DRF."""
    problem = Problem(500, TITLES[500], "the node could not answer; its log says why")
    return JsonResponse(problem.as_dict(), status=500, content_type=CONTENT_TYPE)
