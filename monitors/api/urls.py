"""`/api/v1/nodes/` and `/api/v1/monitors/`."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from monitors.api.monitors import MonitorViewSet
from monitors.api.nodes import NodeViewSet

router = SimpleRouter()
router.register("nodes", NodeViewSet, basename="api-node")
router.register("monitors", MonitorViewSet, basename="api-monitor")
urlpatterns = router.urls
