"""Every change of a monitor by a person or a script of theirs: saved in one transaction with its history."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db import transaction

from monitors import history
from monitors.exchange.document import RELATED, document
from monitors.forms.monitor import MonitorForm
from monitors.models import Monitor, NodeGroup


def save(form: MonitorForm, user: Any, way: str) -> Monitor:
    """Save a form that is valid; `way` says by which door it came."""
    is_new = form.instance.pk is None
    with transaction.atomic():
        before = None if is_new else document(Monitor.objects.get(pk=form.instance.pk))
        if is_new and user is not None and user.pk:
            form.instance.created_by = user
        monitor: Monitor = form.save()
        found = history.changes(before, document(monitor))
        history.record(user, monitor, way, found, ADDITION if is_new else CHANGE)
    return monitor


def edit(monitor: Monitor, user: Any, way: str, change: Callable[[Monitor], None]) -> bool:
    """Let `change` work on a monitor and keep what differs; whether anything did."""
    with transaction.atomic():
        before = document(monitor)
        change(monitor)
        monitor.save()
        found = history.changes(before, document(monitor))
        history.record(user, monitor, way, found)
    return bool(found)


def switch(monitors: Iterable[Monitor], enabled: bool, user: Any, way: str) -> int:
    """Switch on or off; how many were not so before."""

    def change(monitor: Monitor) -> None:
        monitor.enabled = enabled

    return sum(edit(monitor, user, way, change) for monitor in monitors if monitor.enabled != enabled)


def tag(monitors: Iterable[Monitor], add: list[str], remove: list[str], user: Any, way: str) -> int:
    """Add tags and take tags away; how many monitors changed."""

    def change(monitor: Monitor) -> None:
        monitor.tags = [word for word in dict.fromkeys([*monitor.tags, *add]) if word not in remove]

    return sum(edit(monitor, user, way, change) for monitor in monitors)


def set_interval(monitors: Iterable[Monitor], interval_s: int, user: Any, way: str) -> tuple[int, list[str]]:
    """How many changed, and the names of those whose resolution is coarser than that."""
    found = list(monitors)
    coarser = [monitor.name for monitor in found if monitor.resolution > interval_s]

    def change(monitor: Monitor) -> None:
        monitor.interval_s = interval_s

    return sum(edit(one, user, way, change) for one in found if one.resolution <= interval_s), coarser


def regroup(
    monitors: Iterable[Monitor], add: Iterable[NodeGroup], remove: Iterable[NodeGroup], user: Any, way: str
) -> int:
    """Ask node groups, or no longer ask them; how many monitors changed."""
    added, removed = list(add), list(remove)

    def change(monitor: Monitor) -> None:
        monitor.groups.add(*added)
        monitor.groups.remove(*removed)

    return sum(edit(monitor, user, way, change) for monitor in monitors)


def clone(monitor: Monitor, user: Any, way: str) -> Monitor:
    """A copy under a free name, switched off: nothing is pulled before it has been looked over."""
    with transaction.atomic():
        copy = Monitor(name=copy_name(monitor.name), enabled=False)
        for name, value in document(monitor).items():
            if name not in (*RELATED, "name", "slug", "enabled"):
                setattr(copy, name, value)
        copy.config = dict(monitor.config)
        copy.created_by = user if user is not None and user.pk else None
        copy.save()
        for name in RELATED:
            getattr(copy, name).set(getattr(monitor, name).all())
        history.record(user, copy, f"{way}: copy of {monitor.name}", (), ADDITION)
    return copy


def copy_name(name: str) -> str:
    """ "Copy of X", or "Copy 2 of X" where that is taken."""
    n = 1
    while True:
        wanted = f"Copy of {name}" if n == 1 else f"Copy {n} of {name}"
        wanted = wanted[:100]
        if not Monitor.objects.filter(name=wanted).exists():
            return wanted
        n += 1


def delete(monitor: Monitor, user: Any, way: str) -> None:
    """Delete it; its samples go with their partitions, as retention drops them."""
    with transaction.atomic():
        history.record(user, monitor, way, (), DELETION)
        monitor.delete()
