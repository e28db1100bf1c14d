"""`/api/v1/services/`, `locations/`, `points/`, `protocols/`, `names/`: labels, and each kind as CSV."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError as ModelProblem
from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from monitors.fields import network_of
from monitors.labels.changes import refresh_tops
from monitors.labels.resolve import raise_revision
from monitors.labels.sheets import SHEETS
from monitors.models import (
    Application,
    ApplicationPort,
    HostName,
    Location,
    NameSource,
    Point,
    Service,
    ServiceEndpoint,
)


class NetworkField(serializers.CharField):
    """A network in canonical form; the message says what is meant."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return network_of(super().to_internal_value(data))
        except ModelProblem as problem:
            raise ValidationError(problem.messages) from None


class PartSerializer(serializers.ModelSerializer[Any]):
    """One line of a label, checked as the model checks it."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("port_to") is None:
            attrs["port_to"] = attrs.get("port_from")
        try:
            model: Any = self.Meta.model  # type: ignore[attr-defined]
            model(**attrs).clean()
        except ModelProblem as problem:
            raise ValidationError(problem.message_dict) from None
        return attrs


class EndpointSerializer(PartSerializer):
    network = NetworkField()

    class Meta:
        model = ServiceEndpoint
        fields = ["network", "protocol", "port_from", "port_to"]


class PortSerializer(PartSerializer):
    class Meta:
        model = ApplicationPort
        fields = ["protocol", "port_from", "port_to"]


class LabelSerializer(serializers.ModelSerializer[Any]):
    """A label with its parts, which are replaced as a whole where they are sent."""

    parts_name: ClassVar[str] = ""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        parts = attrs.get(self.parts_name, [])
        doubled = next((part for n, part in enumerate(parts) if part in parts[:n]), None)
        if doubled is not None:
            raise ValidationError({self.parts_name: ["The same line is there twice."]})
        model: Any = self.Meta.model  # type: ignore[attr-defined]
        probe = model._default_manager.filter(pk=getattr(self.instance, "pk", None)).first() or model()
        for name, value in attrs.items():
            if name != self.parts_name:
                setattr(probe, name, value)
        try:
            probe.clean()
        except ModelProblem as problem:
            found = problem.message_dict if hasattr(problem, "error_dict") else problem.messages
            raise ValidationError(found) from None
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Any:
        return self._saved(None, validated_data)

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        return self._saved(instance, validated_data)

    def _saved(self, label: Any, data: dict[str, Any]) -> Any:
        parts = data.pop(self.parts_name, None) if self.parts_name else None
        with transaction.atomic():
            label = super().create(data) if label is None else super().update(label, data)
            if parts is not None:
                manager = getattr(label, self.parts_name)
                manager.all().delete()
                manager.bulk_create(manager.model(**{manager.field.name: label}, **part) for part in parts)
            refresh_tops()
            raise_revision()
        # What was read before holds the parts of before.
        return type(label)._default_manager.get(pk=label.pk)


class ServiceSerializer(LabelSerializer):
    parts_name = "endpoints"
    endpoints = EndpointSerializer(many=True, required=False)

    class Meta:
        model = Service
        fields = ["id", "name", "description", "weight", "endpoints"]


class NetworksField(serializers.ListField):
    """Networks of a location as a list of texts."""

    child = NetworkField()

    def to_representation(self, data: Any) -> list[str]:
        return [str(one.network) for one in data.all()]

    def to_internal_value(self, data: Any) -> Any:
        return [{"network": text} for text in super().to_internal_value(data)]


class LocationSerializer(LabelSerializer):
    parts_name = "networks"
    networks = NetworksField(required=False)

    class Meta:
        model = Location
        fields = ["id", "name", "description", "weight", "parent", "top", "networks"]
        read_only_fields = ["top"]


class PointSerializer(LabelSerializer):
    class Meta:
        model = Point
        fields = ["id", "name", "description", "weight", "node", "vni", "vlan"]


class ApplicationSerializer(LabelSerializer):
    parts_name = "ports"
    ports = PortSerializer(many=True, required=False)

    class Meta:
        model = Application
        fields = ["id", "name", "description", "weight", "ports"]


class HostNameSerializer(serializers.ModelSerializer[HostName]):
    class Meta:
        model = HostName
        fields = ["address", "name", "source", "seen", "expires"]
        read_only_fields = ["source", "seen", "expires"]


class LabelImportSerializer(serializers.Serializer[Any]):
    """CSV with the columns of the export; `dry_run` tells what would change and changes nothing."""

    csv = serializers.CharField(trim_whitespace=False)
    remove_missing = serializers.BooleanField(default=False)
    dry_run = serializers.BooleanField(default=False)


class SheetMixin:
    """Each kind as one file; `kind` names its sheet."""

    kind: ClassVar[str] = ""
    level = "view"
    change_level = "operate"

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    @action(detail=False, methods=["get"])
    def export(self, request: Request) -> HttpResponse:
        """All of this kind as CSV."""
        return HttpResponse(SHEETS[self.kind].export(), content_type="text/csv; charset=utf-8")

    @extend_schema(request=LabelImportSerializer, responses=OpenApiTypes.OBJECT)
    @action(detail=False, methods=["post"], url_path="import")
    def take_in(self, request: Request) -> Response:
        """Import CSV: what is new, changed and removed; with problems nothing is changed and the answer is 400."""
        told = LabelImportSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        sheet, data = SHEETS[self.kind], told.validated_data
        plan = (sheet.plan if data["dry_run"] else sheet.apply)(data["csv"], data["remove_missing"])
        return Response(plan.to_json(), status.HTTP_400_BAD_REQUEST if plan.problems else status.HTTP_200_OK)


class ServiceViewSet(SheetMixin, ModelViewSet[Service]):
    """Services: networks and ports of servers."""

    queryset = Service.objects.prefetch_related("endpoints")
    serializer_class = ServiceSerializer
    kind = "services"


class LocationViewSet(SheetMixin, ModelViewSet[Location]):
    """Locations: networks, in places that lie in other places."""

    queryset = Location.objects.prefetch_related("networks")
    serializer_class = LocationSerializer
    kind = "locations"

    def perform_destroy(self, instance: Location) -> None:
        inside = list(instance.children.values_list("name", flat=True)[:5])
        if inside:
            raise ValidationError(f"{', '.join(inside)} lie in {instance}: move or delete them first.")
        instance.delete()


class PointViewSet(SheetMixin, ModelViewSet[Point]):
    """Monitoring points: node, VNI, VLAN."""

    queryset = Point.objects.all()
    serializer_class = PointSerializer
    kind = "points"


class ApplicationViewSet(SheetMixin, ModelViewSet[Application]):
    """Protocols of applications, by port."""

    queryset = Application.objects.prefetch_related("ports")
    serializer_class = ApplicationSerializer
    kind = "protocols"


class HostNameViewSet(SheetMixin, ModelViewSet[HostName]):
    """Names of hosts, by address. What is written here counts as imported."""

    queryset = HostName.objects.all()
    serializer_class = HostNameSerializer
    lookup_value_regex = "[0-9a-fA-F:.]+"
    kind = "names"

    def perform_create(self, serializer: Any) -> None:
        serializer.save(source=NameSource.IMPORTED, expires=None)

    perform_update = perform_create
