"""What monitors bring to `/api/v1/`: a line per noun."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from monitors.api.filters import SavedFilterViewSet
from monitors.api.labels import (
    ApplicationViewSet,
    HostNameViewSet,
    LocationViewSet,
    PointViewSet,
    ServiceViewSet,
)
from monitors.api.monitors import MonitorViewSet
from monitors.api.node_groups import NodeGroupViewSet
from monitors.api.nodes import NodeViewSet
from monitors.api.pulls import PullAgainViewSet, PullViewSet
from monitors.api.retention import RetentionView
from monitors.models import Scope

router = SimpleRouter()
router.register("nodes", NodeViewSet, basename="api-node")
router.register("node-groups", NodeGroupViewSet, basename="api-node-group")
router.register("monitors", MonitorViewSet, basename="api-monitor")
router.register("filters", SavedFilterViewSet, basename="api-filter")
router.register("services", ServiceViewSet, basename="api-service")
router.register("locations", LocationViewSet, basename="api-location")
router.register("points", PointViewSet, basename="api-point")
router.register("protocols", ApplicationViewSet, basename="api-protocol")
router.register("names", HostNameViewSet, basename="api-name")
router.register("pulls/again", PullAgainViewSet, basename="api-pull-again")
router.register("pulls", PullViewSet, basename="api-pull")
urlpatterns = [
    # As people type it into a boot script: a redirect to the slash would lose what is posted.
    path("node-groups/<str:pk>/join", NodeGroupViewSet.as_view({"post": "join"}, scope=Scope.JOIN, schema=None)),
    path("retention/", RetentionView.as_view(), name="api-retention"),
    *router.urls,
]
