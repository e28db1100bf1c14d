"""What every answer carries, and what a visitor sees while the database is down."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db.utils import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from cclear.environment import database_help

log = logging.getLogger(__name__)

Respond = Callable[[HttpRequest], HttpResponseBase]

# Everything comes from here: these networks are closed. Plotly and Tabler set styles from their scripts, hence the one
# exception; scripts themselves are never inline.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


def content_security_policy(respond: Respond) -> Respond:
    """Add the policy to each answer that does not bring its own."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = respond(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


class database_down:  # noqa: N801 - named like the function it stands beside; a class only for process_exception
    """Answer 503 with one line when the database cannot be reached."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.respond(request)
        except (OperationalError, InterfaceError) as error:
            return _unavailable(error)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, OperationalError | InterfaceError):
            return _unavailable(exception)
        return None


def _unavailable(error: Exception) -> HttpResponse:
    line = database_help(error)
    log.error("%s", line)
    response = HttpResponse(f"{line}\n", status=503, content_type="text/plain; charset=utf-8")
    response.headers["Retry-After"] = "5"
    return response
