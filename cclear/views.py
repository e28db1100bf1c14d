"""Pages of the console itself."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from cclear import __version__


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the console can answer questions; load balancers ask it, so it needs no login."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok", "version": __version__})
