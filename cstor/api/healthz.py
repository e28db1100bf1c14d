"""GET /healthz: for load balancers, so without a token."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from cstor.api.health import trouble
from cstor.api.problems import Problem


@extend_schema(responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT}, auth=[])
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def healthz(request: Request) -> Response:
    """200 while the node captures or serves, 503 with the reason otherwise."""
    reason = trouble()
    if reason:
        raise Problem(503, "Not available", reason)
    return Response({"status": "ok"})
