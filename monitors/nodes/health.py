"""A node's health: its status call turned into what the console shows, and the breaker that its failures open.

After three failures in a row nobody is sent to the node but one batch, or the health check itself, every 30 seconds.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from monitors.models import Node
from monitors.nodes import glance
from monitors.nodes.client import NodeClient, NodeError
from monitors.pulls.answer import BadAnswer
from monitors.pulls.normalize import told_intervals
from monitors.secrets import UNREADABLE, Unreadable
from monitors.series.tiers import UTC
from monitors.series.write import observe

BREAKER_FAILURES = 3
BREAKER_S = 30
# Time enough to have a certificate made and signed.
EXPIRES_SOON_S = 14 * 86_400
# A status is small: with the pull that waits for it, it stays within the pull's lease.
STATUS_S = 10


def check(node: Node, now: float) -> str:
    """Ask the node for its status and note the answer; the error in plain words, or nothing."""
    try:
        status = NodeClient(node, whole_s=STATUS_S).status()
    except NodeError as error:
        failed(node.pk, str(error), now)
        return str(error)
    note(node, status, now)
    return ""


def note(node: Node, status: dict[str, Any], now: float) -> None:
    """The node answered with this status."""
    moment = dt.datetime.fromtimestamp(now, UTC)
    before, name = node.status.get("name"), status.get("name")
    other = {"was_named": before} if before and name and before != name else {}
    Node.objects.filter(pk=node.pk).update(
        status={**status, **other, "asked_at": now},
        skew_ms=status.get("clock_skew_ms"),
        checked_at=moment,
        last_seen=moment,
        error="",
        failures=0,
        retry_at=None,
    )
    with suppress(BadAnswer), transaction.atomic(), connection.cursor() as cursor:
        observe(cursor, node.pk, told_intervals(status.get("observed") or []))


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
    # A call that was under way when the breaker opened does not keep it open for longer.
    opening = Node.objects.filter(pk=node_id, failures__gte=BREAKER_FAILURES)
    opening.exclude(retry_at__gt=dt.datetime.fromtimestamp(now, UTC)).update(
        retry_at=dt.datetime.fromtimestamp(now + BREAKER_S, UTC)
    )


def state_of(node: Node, now: float) -> tuple[str, str]:
    """(colour key, sentence) for lists: ok, unknown, warning, down, off."""
    if not node.enabled:
        return "off", "Switched off"
    if node.left_at is not None:
        return "off", f"Left its cluster {spoken(now - node.left_at.timestamp())} ago"
    if isinstance(node.token, Unreadable):
        return "down", f"No call is possible: {UNREADABLE}"
    if node.last_seen is None:
        return ("down", node.error) if node.error else ("unknown", "Not asked yet")
    age_s = now - node.last_seen.timestamp()
    if node.error:
        return "down", f"{node.error} (last answer {spoken(age_s)} ago)"
    if age_s > 4 * 15:
        return "warning", f"Not heard of for {spoken(age_s)}: is the worker running?"
    warnings = _warnings(node, now)
    if warnings:
        return "warning", warnings[0] + (f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else "")
    return "ok", "Answers"


def breaker_words(node: Node, now: float) -> str:
    """Whether failures keep everybody away from the node: since when, and when it is tried next."""
    if node.failures < BREAKER_FAILURES:
        return "" if not node.failures else f"{node.failures} of {BREAKER_FAILURES} failures"
    since = "" if node.last_seen is None else f" for {spoken(now - node.last_seen.timestamp())}"
    wait_s = 0.0 if node.retry_at is None else node.retry_at.timestamp() - now
    return f"open{since}, next try {f'in {spoken(wait_s)}' if wait_s >= 1 else 'now'}"


def clock_words(node: Node) -> str:
    """How far its clock is off; less than a second may be the measurement's own."""
    if node.skew_ms is None:
        return ""
    if abs(node.skew_ms) < 1000:
        return "agrees"
    return f"{spoken(abs(node.skew_ms) / 1000)} {'ahead' if node.skew_ms > 0 else 'behind'}"


def _warnings(node: Node, now: float) -> list[str]:
    """What is wrong with a node that answers, the worst first."""
    problem = node.status.get("problem")
    alarms = [alarm.text for alarm in glance.alarms(node.status) if alarm.severity != "notice"]
    found = [str(problem)] if problem else []
    found += [text for text in alarms if text != problem]
    if node.status.get("was_named"):
        found.append(
            f"Answers as {node.status.get('name')} and before as {node.status['was_named']}: the address of a load"
            " balancer hides its nodes, which belong into a node group one by one"
        )
    if node.skew_ms and abs(node.skew_ms) > 2000:
        found.append(f"Its clock is {spoken(abs(node.skew_ms) / 1000)} {'ahead' if node.skew_ms > 0 else 'behind'}")
    expires = glance.certificate_expires(node.status)
    if expires is not None and expires < now + EXPIRES_SOON_S:
        left = "has expired" if expires <= now else f"expires in {spoken(expires - now)}"
        found.append(f"Its TLS certificate {left}")
    return found


def spoken(seconds: float) -> str:
    """A duration as people say it."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
