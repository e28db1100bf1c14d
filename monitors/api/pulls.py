"""`/api/v1/pulls/`: how each monitor on each node is going, and history pulled again on request."""

from __future__ import annotations

import time
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from monitors import state
from monitors.models import Monitor, Pull
from monitors.pulls import status
from monitors.pulls.again import keep_as_it_is, pull_again
from monitors.pulls.times import TimeProblem, range_of

MOST = 1000


class PullStatusSerializer(serializers.Serializer[Any]):
    """One monitor on one node."""

    monitor = serializers.IntegerField(help_text="Number of the monitor")
    monitor_name = serializers.CharField()
    node = serializers.IntegerField(help_text="Number of the node")
    node_name = serializers.CharField()
    state = serializers.ChoiceField(choices=state.SEVERITY)
    words = serializers.CharField(help_text="The state in a sentence")
    lag_s = serializers.FloatField(allow_null=True, help_text="From the newest sample to now; null: the node stands")
    rows_per_s = serializers.FloatField(help_text="Over about the last minute")
    history = serializers.FloatField(allow_null=True, help_text="Share of the node's history that is here")
    failures = serializers.IntegerField(help_text="Failures in a row")
    error = serializers.CharField()
    next_run = serializers.DateTimeField()
    last_run = serializers.DateTimeField(allow_null=True)
    is_running = serializers.BooleanField()
    took_ms = serializers.IntegerField(allow_null=True)
    stale_s = serializers.IntegerField(help_text="Seconds of history that are still to be pulled again")


class PullPageSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    results = PullStatusSerializer(many=True)


class PullTotalsSerializer(serializers.Serializer[Any]):
    """The numbers at the top of the page."""

    states = serializers.DictField(child=serializers.IntegerField())
    pulls = serializers.IntegerField()
    running = serializers.IntegerField()
    late = serializers.IntegerField()
    pulls_per_s = serializers.FloatField()
    rows_per_s = serializers.FloatField()
    lag_p50 = serializers.FloatField(allow_null=True)
    lag_p99 = serializers.FloatField(allow_null=True)
    backlog = serializers.IntegerField()
    queues = serializers.DictField(child=serializers.IntegerField(), allow_null=True)


class PullAgainSerializer(serializers.Serializer[Any]):
    """What is to be pulled again; `from` and `to` are RFC 3339 or epoch seconds, open where they are left out."""

    monitors = serializers.PrimaryKeyRelatedField(queryset=Monitor.objects.all(), many=True, allow_empty=False)
    keep = serializers.BooleanField(default=False, help_text="Call it off: what was not replaced yet stays")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        words: dict[str, Any] = {"required": False, "allow_blank": True, "default": ""}
        return {**super().get_fields(), "from": serializers.CharField(**words), "to": serializers.CharField(**words)}


class PullAgainAnswer(serializers.Serializer[Any]):
    seconds = serializers.IntegerField(help_text="Of history, over all nodes, that are marked now")


class PullViewSet(ViewSet):
    """Pulls: each monitor on each node."""

    level = "view"

    @extend_schema(
        parameters=[
            OpenApiParameter("state", OpenApiTypes.STR, enum=state.SEVERITY),
            OpenApiParameter("node", OpenApiTypes.INT),
            OpenApiParameter("monitor", OpenApiTypes.INT),
            OpenApiParameter("search", OpenApiTypes.STR, description="Part of a monitor's name"),
            OpenApiParameter("limit", OpenApiTypes.INT, description=f"100 unless told, at most {MOST}"),
            OpenApiParameter("offset", OpenApiTypes.INT),
        ],
        responses=PullPageSerializer,
    )
    def list(self, request: Request) -> Response:
        """Pulls, the worst first."""
        now = time.time()
        key = request.query_params.get("state", "")
        if key and key not in state.SEVERITY:
            raise ValidationError({"state": f"is one of {', '.join(state.SEVERITY)}"})
        node, monitor, limit, offset = (_whole(request, name) for name in ("node", "monitor", "limit", "offset"))
        wanted = status.Wanted(key, node, monitor, request.query_params.get("search", ""))
        found, total = status.page(wanted, now, min(100 if limit is None else limit, MOST), offset or 0)
        return Response({"count": total, "results": [_row(pull, now) for pull in found]})

    @extend_schema(responses=PullTotalsSerializer)
    @action(detail=False, methods=["get"])
    def totals(self, request: Request) -> Response:
        """Of all pulls: per second, behind, late, waiting."""
        return Response(vars(status.totals(time.time())))


class PullAgainViewSet(ViewSet):
    """History pulled again."""

    level = "operate"

    @extend_schema(request=PullAgainSerializer, responses=PullAgainAnswer)
    def create(self, request: Request) -> Response:
        """Mark what monitors have to be pulled again under their present definition; it is replaced bit by bit."""
        asked = PullAgainSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        monitors = [monitor.pk for monitor in asked.validated_data["monitors"]]
        if asked.validated_data["keep"]:
            keep_as_it_is(monitors)
            return Response({"seconds": 0})
        try:
            start, stop = range_of(asked.validated_data["from"], asked.validated_data["to"])
        except TimeProblem as problem:
            raise ValidationError({"detail": str(problem)}) from None
        return Response({"seconds": pull_again(monitors, start, stop, time.time())})


def _row(pull: Pull, now: float) -> dict[str, Any]:
    view = state.view(pull, now)
    return {
        "monitor": pull.monitor_id,
        "monitor_name": pull.monitor.name,
        "node": pull.node_id,
        "node_name": pull.node.name,
        "state": view.state.key,
        "words": view.state.words,
        "lag_s": view.state.lag_s,
        "rows_per_s": round(view.rows_per_s, 3),
        "history": view.history,
        "failures": pull.failures,
        "error": pull.error,
        "next_run": pull.next_run,
        "last_run": pull.last_run,
        "is_running": state.is_running(pull, now),
        "took_ms": pull.took_ms,
        "stale_s": sum(stop - start for start, stop in pull.stale),
    }


def _whole(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValidationError({name: "is a whole number"})
    return int(text)
