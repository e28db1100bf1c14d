"""What a packet download asks for: filter, range, nodes and limits, out of URL parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from dashboards.queries.timerange import RangeError, TimeRange
from monitors.models import Node
from wire.filters.error import FilterError
from wire.filters.grammar import parse


class PacketRequestError(ValueError):
    """`field` says which parameter is wrong, the text what would do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class PacketRequest:
    """Packets that match `filter` in [start, end), epoch seconds, from `nodes`."""

    filter: str
    start: int
    end: int
    nodes: tuple[Node, ...]
    max_packets: int
    max_bytes: int

    @classmethod
    def from_params(cls, params: Mapping[str, Any], now: datetime) -> PacketRequest:
        """PacketRequestError names the parameter. `node` may repeat (a QueryDict); without it all enabled nodes."""
        text = str(params.get("filter", "")).strip()
        try:
            parse(text)
        except FilterError as error:
            raise PacketRequestError("filter", str(error)) from None
        try:
            words = TimeRange(params.get("from") or "now-15m", params.get("to") or "now", params.get("zone") or "UTC")
            start, end = words.resolve(now)
        except RangeError as error:
            raise PacketRequestError("from", str(error)) from None
        return cls(
            text, start, end, _nodes(params),
            _limit(params, "max_packets", settings.PACKETS_MAX_PACKETS),
            _limit(params, "max_bytes", settings.PACKETS_MAX_BYTES),
        )  # fmt: skip


def _nodes(params: Mapping[str, Any]) -> tuple[Node, ...]:
    wanted = (
        params.getlist("node") if hasattr(params, "getlist") else [params[key] for key in ("node",) if key in params]
    )
    found = Node.objects.filter(enabled=True)
    names = [str(name) for name in wanted if str(name)]
    if names:
        found = found.filter(pk__in=[name for name in names if name.isdigit()]) | found.filter(name__in=names)
    nodes = tuple(found.distinct().order_by("name"))
    if not nodes:
        told = f"no enabled node is called {', '.join(names)}" if names else "no node is enabled; add one under Nodes"
        raise PacketRequestError("node", told)
    return nodes


def _limit(params: Mapping[str, Any], name: str, most: int) -> int:
    text = str(params.get(name) or most)
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise PacketRequestError(name, f"{name} is a whole number from 1 to {most}, not {text!r}")
    return int(text)
