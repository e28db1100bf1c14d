"""Pages of the console itself."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from cclear import __version__, prometheus


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the console can answer questions; load balancers ask it, so it needs no login."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok", "version": __version__})


class Metrics(APIView):
    """The console's own numbers for Prometheus, with a session or a token of scope `read`."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(prometheus.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
