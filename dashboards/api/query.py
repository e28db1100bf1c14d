"""`POST /api/v1/query`: one QuerySpec in, one Frame out. Panels ask through the same `run`."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dashboards.queries.run import run
from dashboards.queries.spec import QuerySpec, SpecError
from monitors.api.authentication import MayCall

EXAMPLE = {
    "monitors": ["web"],
    "metrics": [{"key": "response_time", "stat": "p95"}, {"key": "throughput", "stat": "rate"}],
    "by": ["server_ip"],
    "filter": "server port 443",
    "range": {"from": "now-1h", "to": "now", "zone": "UTC"},
    "step": "auto",
    "top": {"n": 10, "metric": "bytes", "stat": "sum"},
}


class QueryView(APIView):
    """Finished metrics of monitors over a range: the numbers behind every panel."""

    permission_classes = (MayCall,)
    level = "view"
    scope = "read"

    @extend_schema(
        operation_id="query",
        summary="Ask for metrics over a range",
        request=OpenApiTypes.OBJECT,
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, description="A Frame: times, series, gaps, what is missing."),
            400: OpenApiResponse(OpenApiTypes.OBJECT, description="`field` and `detail` say what cannot be asked."),
        },
        examples=[OpenApiExample("p95 of the ten largest servers", value=EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        try:
            frame = run(QuerySpec.from_json(request.data), timezone.now())
        except SpecError as error:
            return Response({"field": error.field, "detail": error.message}, status=400)
        return Response(frame.to_json())
