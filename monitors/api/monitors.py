"""`/api/v1/monitors/`: monitors with their definition and, for each node, what has been pulled."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.viewsets import ReadOnlyModelViewSet

from monitors.models import Monitor, Pull


class PullSerializer(serializers.ModelSerializer[Pull]):
    """How far one node's data has come; intervals are [from, to) in epoch seconds."""

    covered = serializers.SerializerMethodField()
    lost = serializers.SerializerMethodField()

    class Meta:
        model = Pull
        fields = [
            "node_id",
            "covered",
            "lost",
            "next_run",
            "last_run",
            "failures",
            "error",
            "took_ms",
            "rows",
            "refused",
        ]

    def get_covered(self, pull: Pull) -> list[list[int]]:
        return [list(span) for span in pull.covered]

    def get_lost(self, pull: Pull) -> list[list[int]]:
        return [list(span) for span in pull.lost]


class MonitorSerializer(serializers.ModelSerializer[Monitor]):
    pulls = PullSerializer(many=True, read_only=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Monitor
        fields = [
            "id", "name", "slug", "kind", "config", "filter", "nodes", "keys", "resolution", "interval_s", "top_n",
            "enabled", "revision", "created", "changed", "pulls", "url",
        ]  # fmt: skip

    def get_url(self, monitor: Monitor) -> Any:
        return monitor.get_absolute_url()


class MonitorViewSet(ReadOnlyModelViewSet[Monitor]):
    """Monitors with their definition and, for each node, what has been pulled."""

    queryset = Monitor.objects.prefetch_related("nodes", "pulls")
    serializer_class = MonitorSerializer
    level = "view"
