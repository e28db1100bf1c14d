"""Pages of monitors, nodes and labels."""

from __future__ import annotations

from django.urls import path

from monitors.labels.overview import MODELS
from monitors.labels.sheets import SHEETS
from monitors.views import label_files, labels, monitor_edit, monitor_files, monitors, node_groups, nodes, pulls

urlpatterns = [
    path("monitors/", monitors.monitors, name="monitors"),
    path("monitors/new/", monitor_edit.new_monitor, name="monitor-new"),
    path("monitors/preview/", monitor_edit.preview_monitor, name="monitor-preview"),
    path("monitors/export/", monitor_files.export_monitors, name="monitors-export"),
    path("monitors/import/", monitor_files.import_monitors, name="monitors-import"),
    path("monitors/<int:pk>/", monitors.monitor, name="monitor"),
    path("monitors/<int:pk>/edit/", monitor_edit.edit_monitor, name="monitor-edit"),
    path("monitors/<int:pk>/clone/", monitor_edit.clone_monitor, name="monitor-clone"),
    path("monitors/<int:pk>/switch/", monitor_edit.switch_monitor, name="monitor-switch"),
    path("monitors/<int:pk>/delete/", monitor_edit.delete_monitor, name="monitor-delete"),
    path("monitors/<int:pk>/pull/", monitors.pull_monitor, name="monitor-pull"),
    path("monitors/<int:pk>/again/", pulls.pull_history_again, name="monitor-again"),
    path("pulls/", pulls.pulls, name="pulls"),
    path("nodes/", nodes.nodes, name="nodes"),
    path("nodes/alarms/", nodes.node_alarms, name="node-alarms"),
    path("nodes/try/", nodes.try_node, name="node-try"),
    path("nodes/groups/<int:pk>/", node_groups.node_group, name="node-group"),
    path("nodes/groups/<int:pk>/look/", node_groups.look_group, name="node-group-look"),
    path("nodes/<int:pk>/", nodes.node, name="node"),
    path("nodes/<int:pk>/test/", nodes.test_node, name="node-test"),
    path("labels/", labels.labels, name="labels"),
    path("labels/names/", labels.names, name="labels-names"),
    path("labels/protocols/well-known/", labels.add_well_known_protocols, name="labels-well-known"),
    path("labels/monitor/", labels.monitor_of_name, name="label-monitor"),
    *(path(f"labels/{kind}/", labels.label_list, {"kind": kind}, f"labels-{kind}") for kind in MODELS),
    *(
        path(f"labels/{kind}/<int:pk>/monitor/", labels.monitor_of_label, {"kind": kind}, f"label-monitor-{kind}")
        for kind in MODELS
    ),
    *(path(f"labels/{kind}/export/", labels.export_labels, {"kind": kind}, f"labels-export-{kind}") for kind in SHEETS),
    *(
        path(f"labels/{kind}/import/", label_files.import_labels, {"kind": kind}, f"labels-import-{kind}")
        for kind in SHEETS
    ),
]
