"""What counts as a change of labels: saving or deleting one, and for points whom a monitor asks.

Loads of rows that bypass `save` (imports) say it themselves, once (`resolve.raise_revision`).
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models.signals import m2m_changed, post_delete, post_save

from monitors.labels.resolve import raise_revision

OF_LABELS = ("Service", "ServiceEndpoint", "LocationNetwork", "Point", "Application", "ApplicationPort")
_TOPS = """
    WITH RECURSIVE nested AS (
      SELECT id, id AS top_id FROM monitors_location WHERE parent_id IS NULL
      UNION ALL
      SELECT l.id, n.top_id FROM monitors_location l JOIN nested n ON l.parent_id = n.id)
    UPDATE monitors_location l SET top_id = n.top_id FROM nested n
    WHERE n.id = l.id AND l.top_id IS DISTINCT FROM n.top_id"""


def connect() -> None:
    """Listen; called when the app is ready."""
    from monitors import models

    for name in OF_LABELS:
        _on(getattr(models, name), _labels_changed)
    _on(models.Location, _locations_changed)
    for sender in (models.Monitor.nodes, models.Monitor.groups, models.NodeGroup.nodes):
        m2m_changed.connect(_targets_changed, sender=sender.through, dispatch_uid=f"labels.{sender.through.__name__}")
    for model in (models.Node, models.NodeGroup, models.Capture):
        _on(model, _subjects_changed)


def _on(model: Any, receiver: Any) -> None:
    for signal in (post_save, post_delete):
        signal.connect(receiver, sender=model, dispatch_uid=f"labels.{model.__name__}")


def refresh_tops() -> None:
    """Write down the outermost place of each."""
    with connection.cursor() as cursor:
        cursor.execute(_TOPS)


def _labels_changed(raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        raise_revision()


def _locations_changed(raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        refresh_tops()
        raise_revision()


def _targets_changed(action: str, **kwargs: Any) -> None:
    if action.startswith("post_"):
        _points_of_nodes_moved()


def _subjects_changed(created: bool | None = None, raw: bool = False, update_fields: Any = None, **kwargs: Any) -> None:
    """A node more or less, or a group that became one of all nodes; not each look at their health."""
    if raw or (created is False and update_fields is not None and "is_all" not in update_fields):
        return
    _points_of_nodes_moved()


def _points_of_nodes_moved() -> None:
    from monitors.models import Point

    if Point.objects.filter(node__isnull=False).exists():
        raise_revision()
