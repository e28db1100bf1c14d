"""Pages of monitors and nodes."""

from __future__ import annotations

from django.urls import path

from monitors.views import monitors, nodes

urlpatterns = [
    path("monitors/", monitors.monitors, name="monitors"),
    path("monitors/<int:pk>/", monitors.monitor, name="monitor"),
    path("monitors/<int:pk>/pull/", monitors.pull_monitor, name="monitor-pull"),
    path("nodes/", nodes.nodes, name="nodes"),
    path("nodes/<int:pk>/", nodes.node, name="node"),
    path("nodes/<int:pk>/test/", nodes.test_node, name="node-test"),
]
