"""`GET /api/v1/dashboards/`: dashboards with their panels, read-only. A panel's query, given a range, is what
`POST /api/v1/query` takes."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ReadOnlyModelViewSet

from dashboards.models import Dashboard, Panel


class PanelSerializer(serializers.ModelSerializer[Panel]):
    class Meta:
        model = Panel
        fields = ["id", "position", "title", "help", "kind", "width", "height", "query", "config"]


class DashboardSerializer(serializers.ModelSerializer[Dashboard]):
    panels = PanelSerializer(many=True, read_only=True)
    url = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = Dashboard
        fields = [
            "id", "title", "slug", "description", "builtin", "default_start", "refresh_s", "created", "changed",
            "panels", "url",
        ]  # fmt: skip


class DashboardViewSet(ReadOnlyModelViewSet[Dashboard]):
    """Built-in dashboards and those that operators made, found by their slug."""

    queryset = Dashboard.objects.prefetch_related("panels")
    serializer_class = DashboardSerializer
    lookup_field = "slug"
    level = "view"


router = SimpleRouter()
router.register("dashboards", DashboardViewSet, basename="api-dashboard")
