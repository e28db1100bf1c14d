"""GET status: the node's own account of itself."""

from __future__ import annotations

import time

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from cstor.api.health import capture_status, disk_use, extent, trouble
from cstor.version import VERSION


@extend_schema(responses=OpenApiTypes.OBJECT)
@api_view(["GET"])
def status(request: Request) -> Response:
    """Version, name, sources and their rates, drops by reason, disk use, oldest and newest packet and bucket, lag."""
    capture = capture_status() if settings.CSTOR.captures else None
    found = extent()
    now = time.time()
    lag = now - found["complete_until"] if capture and found["complete_until"] else None
    return Response(
        {
            "name": settings.CSTOR.name,
            "version": VERSION,
            "mode": "capture" if settings.CSTOR.captures else "serve",
            "now": now,
            "problem": trouble(),
            "lag_s": None if lag is None else round(lag, 3),
            **found,
            "disk": disk_use(),
            "sources": capture["sources"] if capture else [],
            "drops": capture["drops"] if capture else {},
            "malformed": capture["malformed"] if capture else {},
            "capture": capture,
        }
    )
