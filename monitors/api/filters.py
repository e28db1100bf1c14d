"""`/api/v1/filters/`: filters under a name, to be chosen in forms."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.viewsets import ModelViewSet

from monitors.forms.filter import SavedFilterForm
from monitors.models import SavedFilter

WRONG = OpenApiResponse(OpenApiTypes.OBJECT, description="Each wrong field with what is wrong about it.")


class SavedFilterSerializer(serializers.ModelSerializer[SavedFilter]):
    """A filter under a name. Its text is copied where it is chosen: a change of it changes no monitor."""

    class Meta:
        model = SavedFilter
        fields = ["id", "name", "filter", "description"]
        # The form says so in its own words, the same as on the pages.
        extra_kwargs: ClassVar[dict[str, dict[str, Any]]] = {"name": {"validators": []}}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        names = ("name", "filter", "description")
        before = {name: getattr(self.instance, name) for name in names} if self.instance and self.partial else {}
        form = SavedFilterForm({**before, **attrs}, instance=self.instance)
        if not form.is_valid():
            raise serializers.ValidationError({name: list(map(str, errors)) for name, errors in form.errors.items()})
        return form.cleaned_data


@extend_schema_view(
    create=extend_schema(responses={201: SavedFilterSerializer, 400: WRONG}),
    update=extend_schema(responses={200: SavedFilterSerializer, 400: WRONG}),
    partial_update=extend_schema(responses={200: SavedFilterSerializer, 400: WRONG}),
)
class SavedFilterViewSet(ModelViewSet[SavedFilter]):
    """Saved filters."""

    queryset = SavedFilter.objects.all()
    serializer_class = SavedFilterSerializer
    level = "view"
    change_level = "operate"

    def perform_create(self, serializer: serializers.BaseSerializer[SavedFilter]) -> None:
        serializer.save(created_by=self.request.user)
