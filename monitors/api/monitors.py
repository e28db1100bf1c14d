"""`/api/v1/monitors/`: all that the pages do with monitors: read, make, change, copy, switch, pull, preview, files."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from monitors import editing
from monitors.api.monitor_fields import (
    DraftSerializer,
    MonitorImportSerializer,
    MonitorSerializer,
    PreviewSerializer,
    ProblemSerializer,
    way_of,
)
from monitors.api.monitor_files import CsvFile, CsvText, YamlFile, YamlText
from monitors.api.preview_json import preview_json
from monitors.exchange.entry import FileError
from monitors.exchange.plan import ImportPlan, ImportRefused, apply, make_plan
from monitors.models import Monitor
from monitors.models.token import Scope
from monitors.preview.ask import preview
from monitors.preview.draft import Faults, read_draft
from monitors.pulls.claim import due_now

WRONG = OpenApiResponse(OpenApiTypes.OBJECT, description="Each wrong field with what is wrong about it.")
STALE = OpenApiResponse(ProblemSerializer, description="Somebody changed it meanwhile: read it again.")


class Stale(APIException):
    """The caller knows an older state than the present one."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "The definition was changed meanwhile: read the monitor again and send its revision."


class Outdated(APIException):
    """The same, told by If-Match (RFC 9110, 13.1.1)."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The monitor was changed meanwhile: read it again and send its ETag."


@extend_schema_view(
    create=extend_schema(responses={201: MonitorSerializer, 400: WRONG}),
    update=extend_schema(responses={200: MonitorSerializer, 400: WRONG, 409: STALE, 412: STALE}),
    partial_update=extend_schema(responses={200: MonitorSerializer, 400: WRONG, 409: STALE, 412: STALE}),
)
class MonitorViewSet(ModelViewSet[Monitor]):
    """Monitors with their definition and, for each node, what has been pulled."""

    queryset = Monitor.objects.prefetch_related("nodes", "groups", "pulls")
    serializer_class = MonitorSerializer
    level = "view"
    change_level = "operate"
    scope: ClassVar[str | None] = None

    def get_queryset(self) -> QuerySet[Monitor]:
        found = super().get_queryset()
        for name in ("tag", "name", "slug", "kind"):
            if value := self.request.query_params.get(name):
                found = found.filter(**({"tags__contains": [value]} if name == "tag" else {name: value}))
        return found

    @extend_schema(
        parameters=[OpenApiParameter(name, OpenApiTypes.STR) for name in ("tag", "name", "slug", "kind")],
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """All of them; `tag`, `name`, `slug` and `kind` narrow the list."""
        return super().list(request, *args, **kwargs)

    def get_object(self) -> Monitor:
        found = super().get_object()
        if self.request.method not in SAFE_METHODS:
            self._refuse_stale(found)
        return found

    def _refuse_stale(self, monitor: Monitor) -> None:
        wanted = self.request.headers.get("If-Match", "*")
        if wanted != "*" and etag(monitor) not in [word.strip() for word in wanted.split(",")]:
            raise Outdated
        told = self.request.data.get("revision") if isinstance(self.request.data, dict) else None
        if told is not None and told != monitor.revision:
            raise Stale

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().finalize_response(request, response, *args, **kwargs)
        monitor = getattr(self, "shown", None)
        if monitor is not None and found.status_code < status.HTTP_300_MULTIPLE_CHOICES:
            found.headers["ETag"] = etag(monitor)
        return found

    def _show(self, monitor: Monitor, code: int = status.HTTP_200_OK) -> Response:
        self.shown = Monitor.objects.prefetch_related("nodes", "groups", "pulls").get(pk=monitor.pk)
        return Response(self.get_serializer(self.shown).data, status=code)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One; its ETag goes into If-Match of a change."""
        return self._show(self.get_object())

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make one. What is left out has its default; without nodes and groups it asks nobody yet."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self._show(serializer.save(), status.HTTP_201_CREATED)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """PATCH changes what it names; PUT gives all else its default."""
        serializer = self.get_serializer(self.get_object(), data=request.data, partial=kwargs.get("partial", False))
        serializer.is_valid(raise_exception=True)
        return self._show(serializer.save())

    def perform_destroy(self, instance: Monitor) -> None:
        editing.delete(instance, self.request.user, way_of(self.request))

    @extend_schema(request=None, responses={201: MonitorSerializer})
    @action(detail=True, methods=["post"])
    def clone(self, request: Request, pk: str | None = None) -> Response:
        """A copy under a free name, switched off."""
        copy = editing.clone(self.get_object(), request.user, way_of(request))
        return self._show(copy, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=MonitorSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, pk: str | None = None) -> Response:
        """Switch on."""
        return self._switch(True)

    @extend_schema(request=None, responses=MonitorSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, pk: str | None = None) -> Response:
        """Switch off; what was pulled stays."""
        return self._switch(False)

    def _switch(self, enabled: bool) -> Response:
        monitor = self.get_object()
        editing.switch([monitor], enabled, self.request.user, way_of(self.request))
        return self._show(monitor)

    @extend_schema(request=None, responses={202: OpenApiResponse(OpenApiTypes.OBJECT, description='{"due": pulls}')})
    @action(detail=True, methods=["post"], url_path="pull-now")
    def pull_now(self, request: Request, pk: str | None = None) -> Response:
        """Make its pulls due at once, on all its nodes."""
        n = due_now(monitor_ids=[self.get_object().pk], now=time.time())
        return Response({"due": n}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        request=DraftSerializer,
        responses={200: PreviewSerializer, 400: WRONG},
        summary="What a monitor would bring: matches, rows and bytes a day",
    )
    @action(detail=False, methods=["post"], scope=Scope.READ, change_level="view")
    def preview(self, request: Request) -> Response:
        """Ask the chosen nodes about the last minute. Nothing is saved; a name is not needed."""
        serializer = DraftSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        draft = read_draft(serializer.bound(serializer.validated_data))
        if isinstance(draft, Faults):
            raise ValidationError(draft.fields)
        if not draft.nodes:
            raise ValidationError({"nodes": ["Name nodes or groups that have members: nobody is asked yet."]})
        return Response(preview_json(preview(draft)))

    @extend_schema(
        parameters=[OpenApiParameter("format", OpenApiTypes.STR, enum=["yaml", "csv"])],
        responses={(200, "application/yaml"): OpenApiTypes.STR, (200, "text/csv"): OpenApiTypes.STR},
        filters=False,
    )
    @action(detail=False, methods=["get"], renderer_classes=[YamlFile, CsvFile], pagination_class=None)
    def export(self, request: Request) -> Response:
        """All as one file, by Accept or `?format=`; `tag`, `name`, `slug` and `kind` narrow it as in the list."""
        return Response(list(self.get_queryset()))

    @extend_schema(
        parameters=[OpenApiParameter("dry_run", OpenApiTypes.BOOL)],
        request={"application/yaml": OpenApiTypes.STR, "text/csv": OpenApiTypes.STR},
        responses={200: MonitorImportSerializer, 400: MonitorImportSerializer},
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[YamlText, CsvText])
    def import_(self, request: Request) -> Response:
        """Take in a file as a whole or not at all; `?dry_run=true` only says what it would do."""
        text = request.data
        if not isinstance(text, str):
            raise ValidationError({"detail": "Send the file as it is, as application/yaml or text/csv."})
        form = "csv" if "csv" in str(request.content_type) else "yaml"
        try:
            plan = make_plan(text, form)
        except FileError as error:
            raise ValidationError({"detail": str(error)}) from None
        if request.query_params.get("dry_run", "").lower() in ("1", "true", "yes"):
            return Response(_told(plan, False), status=400 if plan.is_wrong else 200)
        try:
            return Response(_told(apply(plan, request.user, f"import by {way_of(request)}"), True))
        except ImportRefused as refused:
            return Response(_told(refused.plan, False), status=400)


def etag(monitor: Monitor) -> str:
    """Changes with every save."""
    return f'"{monitor.pk}-{monitor.revision}-{monitor.changed.timestamp():.6f}"'


def _told(plan: ImportPlan, applied: bool) -> dict[str, Any]:
    items = [
        {
            "line": item.line,
            "name": item.name,
            "status": item.status,
            "changes": [{"field": one.field, "old": one.old, "new": one.new} for one in item.changes],
            "problems": list(item.problems),
        }
        for item in plan.items
    ]
    return {"applied": applied, "summary": plan.summary, "items": items}
