"""A node's health: its status call turned into what the console shows, and the breaker that its failures open.

After three failures in a row nobody is sent to the node but one batch, or the health check itself, every 30 seconds.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from django.db import connection, transaction
from django.db.models import F

from monitors.models import Node
from monitors.nodes import glance
from monitors.nodes.client import NodeClient, NodeError
from monitors.pulls.answer import BadAnswer
from monitors.pulls.normalize import told_intervals
from monitors.series.tiers import UTC
from monitors.series.write import observe

BREAKER_FAILURES = 3
BREAKER_S = 30
# A status is small: with the pull that waits for it, it stays within the pull's lease.
STATUS_S = 10


def check(node: Node, now: float) -> str:
    """Ask the node for its status and note the answer; the error in plain words, or nothing."""
    try:
        status = NodeClient(node, whole_s=STATUS_S).status()
    except NodeError as error:
        failed(node.pk, str(error), now)
        return str(error)
    moment = dt.datetime.fromtimestamp(now, UTC)
    Node.objects.filter(pk=node.pk).update(
        status={**status, "asked_at": now},
        skew_ms=status.get("clock_skew_ms"),
        checked_at=moment,
        last_seen=moment,
        error="",
        failures=0,
        retry_at=None,
    )
    with suppress(BadAnswer), transaction.atomic(), connection.cursor() as cursor:
        observe(cursor, node.pk, told_intervals(status.get("observed") or []))
    return ""


def answered(node_id: int, complete_until: int, now: float) -> None:
    """A pull went through: the node is there, and complete up to this second."""
    Node.objects.filter(pk=node_id).update(
        last_seen=dt.datetime.fromtimestamp(now, UTC),
        complete_until=complete_until,
        error="",
        failures=0,
        retry_at=None,
    )


def failed(node_id: int, error: str, now: float) -> None:
    """A call failed: count it, and from the third in a row on keep everybody away for a while."""
    Node.objects.filter(pk=node_id).update(error=error, failures=F("failures") + 1)
    Node.objects.filter(pk=node_id, failures__gte=BREAKER_FAILURES).update(
        retry_at=dt.datetime.fromtimestamp(now + BREAKER_S, UTC)
    )


def state_of(node: Node, now: float) -> tuple[str, str]:
    """(colour key, sentence) for lists: ok, unknown, warning, down, off."""
    if not node.enabled:
        return "off", "Switched off"
    if node.last_seen is None:
        return ("down", node.error) if node.error else ("unknown", "Not asked yet")
    age_s = now - node.last_seen.timestamp()
    if node.error:
        return "down", f"{node.error} (last answer {spoken(age_s)} ago)"
    if age_s > 4 * 15:
        return "warning", f"Not heard of for {spoken(age_s)}: is the worker running?"
    if node.status.get("problem"):
        return "warning", str(node.status["problem"])
    alarms = [alarm for alarm in glance.alarms(node.status) if alarm.severity != "notice"]
    if alarms:
        return "warning", alarms[0].text + (f" (and {len(alarms) - 1} more)" if len(alarms) > 1 else "")
    if node.skew_ms and abs(node.skew_ms) > 2000:
        return "warning", f"Its clock is {spoken(abs(node.skew_ms) / 1000)} {'ahead' if node.skew_ms > 0 else 'behind'}"
    return "ok", "Answers"


def spoken(seconds: float) -> str:
    """A duration as people say it."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
