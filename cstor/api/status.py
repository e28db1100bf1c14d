"""GET status: the node's own account of itself."""

from __future__ import annotations

import platform
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from cstor.alarms import BEHIND_S, Alarm
from cstor.api.health import capture_status, disk_use, extent, trouble
from cstor.api.status_schema import STATUS
from cstor.process import clock_state
from cstor.version import VERSION

STANDS_ON = ("numba", "numpy", "duckdb", "Django")
# What the capturing process wrote for others: said elsewhere in the answer, or for /metrics alone.
_LEFT_OUT = {"name", "version", "problem", "alarms", "complete_until", "clock", "sources", "drops", "malformed"}
_LEFT_OUT |= {"counts", "levels"}


@extend_schema(responses={200: STATUS})
@api_view(["GET"])
def status(request: Request) -> Response:
    """Version, clock, alarms, lag, extent, disk, sources with rates and drops, flow table, stages and threads."""
    capture = capture_status() if settings.CSTOR.captures else None
    found = extent()
    now = time.time()
    lag = now - found["complete_until"] if capture and found["complete_until"] else None
    problem = trouble()
    told = capture or {}
    return Response(
        {
            "name": settings.CSTOR.name,
            "version": VERSION,
            "versions": versions(),
            "mode": "capture" if settings.CSTOR.captures else "serve",
            "now": now,
            "clock": clock_state(),
            "problem": problem,
            "alarms": _alarms(told, problem),
            "lag_s": None if lag is None else round(lag, 3),
            "behind": lag is not None and lag > BEHIND_S,
            **found,
            "disk": disk_use(),
            "sources": told.get("sources", []),
            "drops": told.get("drops", {}),
            "malformed": told.get("malformed", {}),
            "capture": {name: value for name, value in told.items() if name not in _LEFT_OUT} if capture else None,
        }
    )


def _alarms(told: dict[str, Any], problem: str | None) -> list[dict[str, Any]]:
    """The capture's own, and what it cannot tell any more: that it hangs, or that nothing can be read."""
    alarms = list(told.get("alarms", []))
    if problem and all(alarm.get("text") != problem for alarm in alarms):
        alarms.insert(0, Alarm("node", "critical", problem).as_json())
    return alarms


@cache
def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    found = {"python": platform.python_version(), "kernel": platform.release()}
    for name in STANDS_ON:
        try:
            found[name.lower()] = version(name)
        except PackageNotFoundError:
            continue
    return found
