"""What the API says of nodes and monitors. A node's token never leaves."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from monitors.models import Monitor, Node, Pull


class NodeSerializer(serializers.ModelSerializer[Node]):
    class Meta:
        model = Node
        fields = ["id", "name", "url", "verify_tls", "enabled", "status", "checked_at", "last_seen", "error", "skew_ms"]


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
