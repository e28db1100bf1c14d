"""`/api/v1/retention/`: how long samples are kept, and what they take."""

from __future__ import annotations

import time
from typing import Any

from django.core.exceptions import ValidationError as ModelProblem
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitors.models import Retention
from monitors.series import sizes


class StoredTierSerializer(serializers.Serializer[sizes.Tier]):
    """What is stored of one step. Rows are the server's estimate; growth is that of the last seven days."""

    step = serializers.IntegerField(help_text="Seconds.")
    days = serializers.IntegerField(help_text="That it is kept.")
    bytes = serializers.IntegerField(source="size", help_text="With indexes.")
    rows = serializers.IntegerField()
    rows_per_day = serializers.FloatField()
    bytes_per_day = serializers.FloatField()
    oldest = serializers.DateTimeField(allow_null=True)


class StoredSerializer(serializers.Serializer[Any]):
    """All samples, their budget, and the day on which they reach it (null: never)."""

    bytes = serializers.IntegerField()
    budget_bytes = serializers.IntegerField()
    full_on = serializers.DateField(allow_null=True)
    steps = StoredTierSerializer(many=True)


class RetentionSerializer(serializers.ModelSerializer[Retention]):
    """Days that each step is kept after it was written, and the budget of all samples (null: the default)."""

    stored = serializers.SerializerMethodField()

    class Meta:
        model = Retention
        fields = ["days_1", "days_10", "days_60", "days_600", "days_3600", "days_86400", "budget_gb", "stored"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = Retention(**{field: attrs.get(field, getattr(self.instance, field)) for field in self.Meta.fields[:7]})
        try:
            wanted.clean()
        except ModelProblem as problem:
            raise ValidationError(problem.message_dict) from None
        return attrs

    @extend_schema_field(StoredSerializer)
    def get_stored(self, retention: Retention) -> dict[str, Any]:
        found = sizes.stored()
        lines = sizes.tiers_stored(retention, found, time.time())
        used = sum(one.size for one in found)
        limit = sizes.budget(retention, used)
        full_on = sizes.full_on(lines, limit, timezone.now().date())
        told = {"bytes": used, "budget_bytes": limit, "full_on": full_on, "steps": lines}
        return dict(StoredSerializer(told).data)


class RetentionView(APIView):
    """The site's retention of samples: one object, that can be read and changed."""

    level = "view"
    change_level = "operate"

    @extend_schema(responses=RetentionSerializer)
    def get(self, request: Request) -> Response:
        """How long each step is kept, the budget, and what is stored."""
        return Response(RetentionSerializer(Retention.of_site()).data)

    @extend_schema(request=RetentionSerializer(partial=True), responses=RetentionSerializer)
    def patch(self, request: Request) -> Response:
        """Change any of them; what is too old or too large goes within ten minutes."""
        asked = RetentionSerializer(Retention.of_site(), data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        asked.save()
        return Response(asked.data)
