"""A capture that has been read becomes a node and a monitor, like any other."""

from __future__ import annotations

from monitors.models import Capture, Monitor, Node


def publish(capture: Capture, url: str, token: str) -> None:
    """Create or correct the capture's node, and its monitor the first time. The caller holds the row's lock."""
    if capture.node is None:
        capture.node = Node.objects.create(name=_free_name(Node, f"capture {capture.name}"), url=url, token=token)
    else:
        Node.objects.filter(pk=capture.node.pk).update(url=url, token=token, retry_at=None, failures=0)
    if capture.monitor is None:
        capture.monitor = Monitor.objects.create(
            name=_free_name(Monitor, capture.name), resolution=1, interval_s=60, created_by=capture.created_by
        )
        capture.monitor.nodes.set([capture.node])
    capture.save(update_fields=["node", "monitor"])


def _free_name(model: type[Node] | type[Monitor], wanted: str) -> str:
    stem, name, n = wanted[:90], wanted[:90], 1
    while model.objects.filter(name=name).exists():
        n += 1
        name = f"{stem} ({n})"
    return name
