"""Nodes and monitors, read-only."""

from __future__ import annotations

from rest_framework.viewsets import ReadOnlyModelViewSet

from monitors.api.serializers import MonitorSerializer, NodeSerializer
from monitors.models import Monitor, Node


class NodeViewSet(ReadOnlyModelViewSet[Node]):
    """cStor nodes: address, health and what they last said of themselves."""

    queryset = Node.objects.all()
    serializer_class = NodeSerializer
    level = "view"


class MonitorViewSet(ReadOnlyModelViewSet[Monitor]):
    """Monitors with their definition and, for each node, what has been pulled."""

    queryset = Monitor.objects.prefetch_related("nodes", "pulls")
    serializer_class = MonitorSerializer
    level = "view"
