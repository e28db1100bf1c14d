"""The console's own numbers in Prometheus' text format: how far pulls, roll-ups and queues are behind."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from cclear.celery import QUEUES, app
from monitors.models import Node, Pull, Rollup
from monitors.nodes.alarm import alarms
from monitors.nodes.glance import certificate_expires

Sample = tuple[dict[str, str], float]

# A pull is late when it is due for longer than this: the tick comes each second, a batch takes a few.
LATE_S = 10


def text() -> str:
    """The whole page."""
    return "".join(_family(*family) for family in _families())


def _families() -> Iterator[tuple[str, str, Iterable[Sample]]]:
    pulls = list(Pull.objects.filter(monitor__enabled=True, node__enabled=True).select_related("node"))
    now = time.time()
    yield "cclear_node_up", "1 while the node answers its status call.", _nodes()
    yield "cclear_nodes_down", "Nodes that failed three calls in a row.", [({}, len(alarms(now).down))]
    yield "cclear_node_silent_seconds", "Seconds since the node's last answer.", _silence(now)
    yield "cclear_node_certificate_seconds", "Seconds until the node's TLS certificate expires.", _certificates(now)
    yield (
        "cclear_pull_lag_seconds",
        "Seconds between now and the end of what is covered, of the monitor that is furthest behind.",
        _worst_lag(pulls, now),
    )
    yield (
        "cclear_pulls_failing",
        "Monitors whose last pull from the node failed.",
        [({"node": name}, count) for name, count in _failing()],
    )
    late = Q(next_run__lt=timezone.now() - timedelta(seconds=LATE_S), lease=None)
    yield "cclear_pulls_late", f"Pulls due for more than {LATE_S} s.", [({}, Pull.objects.filter(late).count())]
    due = Rollup.objects.filter(due__lte=timezone.now()).count()
    yield "cclear_rollup_backlog", "Runs that are due to be rolled up.", [({}, due)]
    yield "cclear_queue_messages", "Messages that wait for a worker.", _queues()


def _asked() -> QuerySet[Node]:
    """Nodes in use: neither switched off nor gone from their cluster."""
    return Node.objects.filter(enabled=True, left_at=None)


def _nodes() -> list[Sample]:
    return [({"node": node.name}, float(not node.error)) for node in _asked()]


def _silence(now: float) -> list[Sample]:
    seen = _asked().exclude(last_seen=None).values_list("name", "last_seen")
    return [({"node": name}, round(now - last.timestamp(), 1)) for name, last in seen if last is not None]


def _certificates(now: float) -> list[Sample]:
    found = ((node.name, certificate_expires(node.status)) for node in _asked())
    return [({"node": name}, round(expires - now)) for name, expires in found if expires is not None]


def _worst_lag(pulls: list[Pull], now: float) -> list[Sample]:
    worst: dict[str, float] = {}
    for pull in pulls:
        until = pull.complete_until
        if until is not None:
            worst[pull.node.name] = max(worst.get(pull.node.name, 0.0), now - until)
    return [({"node": name}, round(lag, 1)) for name, lag in sorted(worst.items())]


def _failing() -> list[tuple[str, int]]:
    counts = Count("pulls", filter=~Q(pulls__error="") & Q(pulls__monitor__enabled=True))
    return list(_asked().annotate(failing=counts).values_list("name", "failing"))


def _queues() -> list[Sample]:
    """Lengths as the broker tells them; a queue that nobody declared yet is empty."""
    samples: list[Sample] = []
    with app.connection_for_read() as connection:
        for queue in QUEUES:
            channel = connection.channel()
            try:
                waiting = channel.queue_declare(queue, passive=True).message_count
            except connection.channel_errors:
                waiting = 0
            samples.append(({"queue": queue}, waiting))
    return samples


def _family(name: str, help_text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        words = ",".join(f'{key}="{_escape(word)}"' for key, word in labels.items())
        lines.append(f"{name}{{{words}}} {value:g}" if words else f"{name} {value:g}")
    return "\n".join(lines) + "\n"


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
