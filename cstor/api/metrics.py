"""GET metrics: the registry, so that a client need not know this version's metrics."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from cstor.metrics.metric import SUBJECTS, Base, Metric
from cstor.metrics.registry import BASES, BASES_OF, METRICS, METRICS_OF


@extend_schema(responses=OpenApiTypes.OBJECT)
@api_view(["GET"])
def metrics(request: Request) -> Response:
    """Every metric with its unit, group, statistics, bases and help; every base with the way it merges.

    `metrics` and `bases` are those of conversations; `subjects` has those of links (points) and of the node itself.
    """
    subjects = {
        subject: {
            "metrics": [_metric(metric) for metric in METRICS_OF[subject].values()],
            "bases": [_base(base) for base in BASES_OF[subject].values()],
        }
        for subject in SUBJECTS
        if subject != "conversations"
    }
    return Response(
        {
            "metrics": [_metric(metric) for metric in METRICS.values()],
            "bases": [_base(base) for base in BASES.values()],
            "subjects": subjects,
        }
    )


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "key": metric.key,
        "label": metric.label,
        "unit": metric.unit.symbol,
        "group": metric.group,
        "subject": metric.subject,
        "kind": metric.kind,
        "stats": metric.stats,
        "bases": metric.bases,
        "help": metric.help,
    }


def _base(base: Base) -> dict[str, Any]:
    return {"key": base.key, "kind": base.kind, "unit": base.unit.key}
