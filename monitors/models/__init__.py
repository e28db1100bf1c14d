"""Models of the monitors app, one file per noun."""

from __future__ import annotations

from monitors.models.capture import Capture, CaptureState
from monitors.models.group import Group
from monitors.models.monitor import Definition, Monitor
from monitors.models.node import Node
from monitors.models.pull import Observed, Partition, Pull, Rollup
from monitors.models.sample import SAMPLES
from monitors.models.token import ApiToken, Scope

__all__ = [
    "SAMPLES",
    "ApiToken",
    "Capture",
    "CaptureState",
    "Definition",
    "Group",
    "Monitor",
    "Node",
    "Observed",
    "Partition",
    "Pull",
    "Rollup",
    "Scope",
]
