"""`/api/v1/nodes/`: capture nodes. A node's token never leaves."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.viewsets import ReadOnlyModelViewSet

from monitors.models import Node


class NodeSerializer(serializers.ModelSerializer[Node]):
    class Meta:
        model = Node
        fields = ["id", "name", "url", "verify_tls", "enabled", "status", "checked_at", "last_seen", "error", "skew_ms"]


class NodeViewSet(ReadOnlyModelViewSet[Node]):
    """cStor nodes: address, health and what they last said of themselves."""

    queryset = Node.objects.all()
    serializer_class = NodeSerializer
    level = "view"
