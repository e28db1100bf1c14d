"""GET /metrics: everything that moves, in Prometheus's text format 0.0.4.

Counters end in _total, units are base units (seconds, bytes, ratios 0..1), a share is never a percentage. The capture's
numbers are those of dataset `node`, each declared once in cstor/metrics/groups/node.py, whose help is theirs here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request

from cstor.api.health import capture_status, disk_use, extent, trouble
from cstor.api.status import versions
from cstor.metrics.registry import BASES_OF
from cstor.version import VERSION

Sample = tuple[dict[str, str], float]


class Family(NamedTuple):
    """What one of the node's numbers is called in Prometheus, what turns its integer into the base unit, and the label
    that its reason is."""

    name: str
    scale: float = 1.0
    label: str = "reason"


NS, BASIS_POINT = 1e-9, 1e-4
FAMILIES = {
    "packets": Family("received_packets_total"),
    "bytes": Family("received_bytes_total"),
    "drops": Family("dropped_packets_total"),
    "malformed": Family("malformed_packets_total"),
    "events": Family("events_total", label="kind"),
    "stored_packets": Family("stored_packets_total"),
    "stored_bytes": Family("stored_bytes_total"),
    "sessions": Family("sessions_total"),
    "rows": Family("conversation_rows_total"),
    "write_failures": Family("write_failures_total"),
    "cpu_time": Family("cpu_seconds_total", NS),
    "stage_time": Family("stage_seconds_total", NS, "stage"),
    "stage_packets": Family("stage_packets_total", label="stage"),
    "flows": Family("flows"),
    "conversations": Family("conversations"),
    "table_occupancy": Family("flow_table_ratio", BASIS_POINT),
    "pool_fill": Family("pool_fill_ratio", BASIS_POINT, "pool"),
    "ring_fill": Family("ring_fill_ratio", BASIS_POINT),
    "lag": Family("lag_seconds", NS),
    "write_queue": Family("write_queue_buffers"),
    "publish_backlog": Family("publish_backlog_parts"),
    "reorder_held": Family("reorder_held_packets"),
    "memory": Family("resident_memory_bytes"),
}
# Said of any store, with or without a capture: see `_store`.
ELSEWHERE = {"disk_used", "disk_free"}


@extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
@api_view(["GET"])
def prometheus(request: Request) -> HttpResponse:
    """Counters and gauges of the node."""
    return HttpResponse("\n".join(_lines()) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def _lines() -> Iterator[str]:
    yield from _family("info", "Version of the node", [({"version": VERSION, **versions()}, 1)])
    yield from _family("up", "1 while the node captures or serves", [({}, 0 if trouble() else 1)])
    yield from _store()
    capture = capture_status()
    if capture:
        yield from _capture(capture)


def _store() -> Iterator[str]:
    found = extent()
    for name in ("oldest_packet", "newest_packet", "oldest_bucket", "newest_bucket", "kept_from", "complete_until"):
        if found[name] is not None:
            yield from _family(f"{name}_timestamp_seconds", f"{name.replace('_', ' ')}, epoch", [({}, found[name])])
    disk = disk_use()
    for part, text in (("bytes", "Bytes on disk by dataset"), ("files", "Files on disk by dataset")):
        yield from _family(
            f"store_{part}", text, [({"dataset": name}, use[part]) for name, use in disk["used"].items()]
        )
    yield from _family("disk_free_bytes", "Bytes free on the store's disk", [({}, disk["free_bytes"])])
    yield from _family("disk_size_bytes", "Bytes of the store's disk", [({}, disk["total_bytes"])])


def _capture(capture: dict[str, Any]) -> Iterator[str]:
    yield from _family("start_time_seconds", "Start of the capture, epoch", [({}, capture["started"])])
    yield from _family("status_timestamp_seconds", "When the capture counted last, epoch", [({}, capture["written"])])
    yield from _family(
        "api_restarts_total", "Starts of the API after it ended", [({}, capture["gauges"]["api_restarts"])]
    )
    alarms: dict[tuple[str, str], int] = {}
    for alarm in capture["alarms"]:
        key = alarm["key"], alarm["severity"]
        alarms[key] = alarms.get(key, 0) + 1
    labelled = [({"key": key, "severity": severity}, n) for (key, severity), n in alarms.items()]
    yield from _family("alarms", "What is wrong right now, by kind", labelled)
    yield from _family("flow_limit", "Flows that the table holds", [({}, capture["table"]["flow_limit"])])
    yield from _numbers([*capture["counts"], *capture["levels"]])


def _numbers(found: Iterable[list[Any]]) -> Iterator[str]:
    """The flat list of cstor/counters.py, by name."""
    by_name: dict[str, list[Sample]] = {}
    for source, thread, name, reason, value in found:
        family = FAMILIES.get(name)
        if family:
            labels = {"source": source, "thread": thread, family.label: reason}
            number = value if family.scale == 1.0 else round(value * family.scale, 9)
            by_name.setdefault(name, []).append(({key: text for key, text in labels.items() if text}, number))
    for name, samples in by_name.items():
        yield from _family(FAMILIES[name].name, BASES_OF["node"][name].help.rstrip("."), samples)


def _family(name: str, text: str, samples: Sequence[Sample]) -> Iterator[str]:
    """One family; a name that ends in _total is a counter, all others are gauges."""
    if not samples:
        return
    yield f"# HELP cstor_{name} {text}"
    yield f"# TYPE cstor_{name} {'counter' if name.endswith('_total') else 'gauge'}"
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"cstor_{name}{{{inner}}} {value}" if inner else f"cstor_{name} {value}"


def _escaped(text: str) -> str:
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
