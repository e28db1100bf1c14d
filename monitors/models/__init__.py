"""Models of the monitors app, one file per noun."""

from __future__ import annotations

from monitors.models.capture import Capture, CaptureState
from monitors.models.filter import SavedFilter
from monitors.models.group import Group
from monitors.models.label import (
    Application,
    ApplicationPort,
    HostName,
    LabelRevision,
    Location,
    LocationNetwork,
    NameSettings,
    NameSource,
    Point,
    Service,
    ServiceEndpoint,
)
from monitors.models.monitor import Definition, Monitor
from monitors.models.node import Node, Origin
from monitors.models.node_group import NodeGroup, Target
from monitors.models.pull import Observed, Partition, Pull, Rollup
from monitors.models.retention import Retention
from monitors.models.sample import SAMPLES
from monitors.models.token import ApiToken, Scope

__all__ = [
    "SAMPLES",
    "ApiToken",
    "Application",
    "ApplicationPort",
    "Capture",
    "CaptureState",
    "Definition",
    "Group",
    "HostName",
    "LabelRevision",
    "Location",
    "LocationNetwork",
    "Monitor",
    "NameSettings",
    "NameSource",
    "Node",
    "NodeGroup",
    "Observed",
    "Origin",
    "Partition",
    "Point",
    "Pull",
    "Retention",
    "Rollup",
    "SavedFilter",
    "Scope",
    "Service",
    "ServiceEndpoint",
    "Target",
]
