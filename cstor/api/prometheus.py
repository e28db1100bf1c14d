"""GET /metrics: everything that moves, in Prometheus's text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request

from cstor.api.health import capture_status, disk_use, extent, trouble
from cstor.version import VERSION


@extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
@api_view(["GET"])
def prometheus(request: Request) -> HttpResponse:
    """Counters and gauges of the node."""
    return HttpResponse("\n".join(_lines()) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def _lines() -> Iterator[str]:
    yield from _metric("info", "gauge", "Version of the node", [({"version": VERSION}, 1)])
    yield from _metric("up", "gauge", "1 while the node captures or serves", [({}, 0 if trouble() else 1)])
    for name, value in extent().items():
        if isinstance(value, int | float):
            yield from _metric(f"{name}_seconds", "gauge", name.replace("_", " "), [({}, value)])
    disk = disk_use()
    for part in ("bytes", "files"):
        used = [({"dataset": name}, use[part]) for name, use in disk["used"].items()]
        yield from _metric(f"store_{part}", "gauge", f"{part} on disk", used)
    yield from _metric("disk_free_bytes", "gauge", "free space", [({}, disk["free_bytes"])])
    capture = capture_status()
    if capture:
        yield from _capture(capture)


def _capture(capture: dict[str, Any]) -> Iterator[str]:
    for name in ("packets", "bytes"):
        found = [({"source": source["name"]}, source[name]) for source in capture["sources"]]
        yield from _metric(f"received_{name}_total", "counter", f"{name} received", found)
    for name, label in (("drops", "reason"), ("malformed", "reason"), ("analysis", "kind"), ("stored", "kind")):
        found = [({label: key}, value) for key, value in capture[name].items()]
        yield from _metric(f"{name}_total", "counter", f"{name} by {label}", found)
    for name, value in capture["gauges"].items():
        yield from _metric(name, "gauge", name.replace("_", " "), [({}, value)])


def _metric(name: str, kind: str, text: str, values: list[tuple[dict[str, str], Any]]) -> Iterator[str]:
    if not values:
        return
    yield f"# HELP cstor_{name} {text}"
    yield f"# TYPE cstor_{name} {kind}"
    for labels, value in values:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"cstor_{name}{{{inner}}} {value}" if inner else f"cstor_{name} {value}"


def _escaped(text: str) -> str:
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
