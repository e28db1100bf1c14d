"""Celery tasks of the monitors: thin wrappers. A message is only a wake-up; the jobs are rows with leases."""

from __future__ import annotations

import time
from uuid import UUID

from celery import shared_task

from monitors.labels import resolve, reverse_dns
from monitors.models import Node
from monitors.nodes import discovery, health
from monitors.pulls import claim as claims
from monitors.pulls import run as pulls
from monitors.series import partitions, retention, sorting, steps
from monitors.series import rollup as rollups


@shared_task(name="monitors.tasks.tick")
def tick() -> None:
    """Every second: wake a pull for each node that has something due, and ask nodes for their health."""
    now = time.time()
    for lease in claims.claim(now):
        pull.apply_async((lease.node_id, str(lease.lease)), expires=claims.LEASE_S)
    for node_id in claims.claim_status(now):
        pull_status.apply_async((node_id,), expires=claims.STATUS_EVERY_S)


@shared_task(name="monitors.tasks.pull")
def pull(node_id: int, lease: str) -> None:
    """One batch of a node, and what else is due there after it."""
    pulls.run(claims.Lease(node_id, UUID(lease)))


@shared_task(name="monitors.tasks.pull_status")
def pull_status(node_id: int) -> None:
    """A node's health."""
    node = Node.objects.filter(pk=node_id, enabled=True).first()
    if node is not None:
        health.check(node, time.time())


@shared_task(name="monitors.tasks.look")
def look() -> None:
    """Every few seconds: groups whose address is to be resolved again, each in a task of its own."""
    for group_id in discovery.claim(time.time()):
        look_behind.apply_async((group_id,), expires=discovery.EVERY_S)


@shared_task(name="monitors.tasks.look_behind")
def look_behind(group_id: int) -> None:
    """Who is behind the address of a group."""
    discovery.look(group_id, time.time())


@shared_task(name="monitors.tasks.rollup")
def rollup() -> None:
    """Every few seconds: fold the runs that are due."""
    rollups.roll_up(time.time(), between=rollups.give_way)


@shared_task(name="monitors.tasks.follow_labels")
def follow_labels() -> None:
    """Every few seconds: resolve all groups anew if labels have changed."""
    resolve.follow()


@shared_task(name="monitors.tasks.look_up_names")
def look_up_names() -> None:
    """Every 15 s: names of hosts by reverse DNS, where that is switched on."""
    reverse_dns.run()
    reverse_dns.forget()


@shared_task(name="monitors.tasks.retention")
def maintain() -> None:
    """Every few minutes: partitions of the next hours, removal by age and bytes, clean-up after deleted monitors and
    dropped steps; at night, closed days are sorted."""
    now = time.time()
    partitions.ensure_ahead(int(now))
    retention.remove_old(now)
    retention.remove_large(now)
    steps.remove_dropped()
    sorting.sort_at_night(now)
    retention.remove_orphans()
