"""GET metrics: the registry, so that a client need not know this version's metrics."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from cstor.metrics.registry import BASES, METRICS


@extend_schema(responses=OpenApiTypes.OBJECT)
@api_view(["GET"])
def metrics(request: Request) -> Response:
    """Every metric with its unit, group, statistics, bases and help; every base with the way it merges."""
    return Response(
        {
            "metrics": [
                {
                    "key": metric.key,
                    "label": metric.label,
                    "unit": metric.unit.symbol,
                    "group": metric.group,
                    "kind": metric.kind,
                    "stats": metric.stats,
                    "bases": metric.bases,
                    "help": metric.help,
                }
                for metric in METRICS.values()
            ],
            "bases": [{"key": base.key, "kind": base.kind, "unit": base.unit.key} for base in BASES.values()],
        }
    )
