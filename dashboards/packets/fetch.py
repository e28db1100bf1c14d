"""Asking the nodes: counts from all at once, and their packets as one ordered stream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from django.conf import settings

from dashboards.packets.merge import MergeError, merge, open_stream
from dashboards.packets.request import PacketRequest
from monitors.models import Node
from monitors.nodes.client import NodeClient, NodeError

# A node reads through all packets of the range before it knows the first that matches.
SEARCH_S = 90.0
# Somebody looks at the page meanwhile: a node that hangs must not hide what the others have for longer.
COUNT_S = 30.0

# Each stream holds a thread of this process for as long as the browser takes: the rest must stay free for pages.
_slots = threading.BoundedSemaphore(settings.PACKETS_MAX_STREAMS)


class Busy(Exception):
    """All streams that this process may serve at once are taken."""


class NothingToSend(Exception):
    """No node has a packet to send; the text says why, node by node."""


@dataclass(frozen=True)
class NodeCount:
    """One node's answer to "how many?"; `error` in plain words where it gave none."""

    node: Node
    packets: int | None = None
    error: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class Download:
    """A stream that is ready to be sent, and what has to be said before it."""

    chunks: Iterator[bytes]
    planned: int | None
    missing: dict[str, str] = field(default_factory=dict)
    kept_from: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)


def count(request: PacketRequest) -> list[NodeCount]:
    """Every node's count, asked at the same time."""
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(request.nodes)))) as pool:
        return list(pool.map(lambda node: _count(node, request), request.nodes))


def _count(node: Node, request: PacketRequest) -> NodeCount:
    try:
        answer = NodeClient(node, COUNT_S, COUNT_S).packet_count(request.filter, request.start, request.end)
    except NodeError as error:
        return NodeCount(node, error=str(error))
    packets = answer.get("packets", answer.get("count"))
    if not isinstance(packets, int):
        return NodeCount(node, error="answered no count; is it a cStor node?")
    notes = tuple(str(answer[key]) for key in ("note", "warning") if answer.get(key))
    return NodeCount(node, packets, notes=notes)


def download(request: PacketRequest) -> Download:
    """Open every node's stream. Busy, NothingToSend or MergeError before the first byte; after it, a broken node
    breaks the answer, so that half a file is never taken for a whole one."""
    if not _slots.acquire(blocking=False):
        raise Busy(f"{settings.PACKETS_MAX_STREAMS} downloads are running already; wait until one has ended")
    stack = ExitStack()
    stack.callback(_slots.release)
    try:
        return _open(request, stack)
    except BaseException:
        stack.close()
        raise


def _open(request: PacketRequest, stack: ExitStack) -> Download:
    found = Download(iter(()), 0)
    streams = []
    for node in request.nodes:
        try:
            call = NodeClient(node, SEARCH_S).packets(
                request.filter, request.start, request.end, request.max_bytes, request.max_packets
            )
            answer = stack.enter_context(call)
            streams.append(open_stream(node.name, answer.chunks))
        except (NodeError, MergeError) as error:
            # 404 is an answer: this node has no packet that matches.
            if getattr(error, "status", None) != 404:
                found.missing[node.name] = str(error)
            continue
        _note(found, node.name, answer.headers)
    if not streams:
        told = "; ".join(f"{name}: {why}" for name, why in found.missing.items())
        raise NothingToSend(told or "no node has a packet that matches in this range")
    found.chunks = _closing(merge(streams), stack)
    return found


def _note(found: Download, name: str, headers: dict[str, str]) -> None:
    planned = headers.get("X-Planned-Packets", "")
    found.planned = found.planned + int(planned) if planned.isdigit() and found.planned is not None else None
    for header, notes in (("X-Kept-From", found.kept_from), ("X-Limit", found.limits)):
        if headers.get(header):
            notes[name] = headers[header]


def _closing(chunks: Iterator[bytes], stack: ExitStack) -> Iterator[bytes]:
    with stack:
        yield from chunks
