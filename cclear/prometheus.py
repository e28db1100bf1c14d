"""The console's own numbers in Prometheus' text format: how far pulls, roll-ups and queues are behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from monitors.models import Node
from monitors.nodes.alarm import alarms
from monitors.nodes.glance import certificate_expires
from monitors.pulls import status
from monitors.state import is_open

Sample = tuple[dict[str, str], float]


def text() -> str:
    """The whole page."""
    return "".join(_family(*family) for family in _families())


def _families() -> Iterator[tuple[str, str, Iterable[Sample]]]:
    now = time.time()
    nodes = list(Node.objects.filter(enabled=True, left_at=None))
    yield "cclear_node_up", "1 while the node answers.", _by_node(nodes, lambda node: float(not node.error))
    yield (
        "cclear_node_breaker_open",
        "1 while failures keep everybody away from the node, but one batch every 30 s.",
        _by_node(nodes, lambda node: float(is_open(node, now))),
    )
    yield "cclear_nodes_down", "Nodes that failed three calls in a row.", [({}, float(len(alarms(now).down)))]
    seen = {node.pk: node.last_seen.timestamp() for node in nodes if node.last_seen is not None}
    yield (
        "cclear_node_silent_seconds",
        "Seconds since the node's last answer.",
        _by_node([node for node in nodes if node.pk in seen], lambda node: round(now - seen[node.pk], 1)),
    )
    ends = {node.pk: end for node in nodes if (end := certificate_expires(node.status)) is not None}
    yield (
        "cclear_node_certificate_seconds",
        "Seconds until the node's TLS certificate expires.",
        _by_node([node for node in nodes if node.pk in ends], lambda node: round(ends[node.pk] - now)),
    )
    yield (
        "cclear_node_clock_skew_seconds",
        "How far the node's clock is ahead of ours.",
        _by_node([node for node in nodes if node.skew_ms is not None], lambda node: (node.skew_ms or 0) / 1000),
    )
    yield from _of_nodes(status.by_node(now))
    yield from _of_all(status.totals(now))


def _of_nodes(found: Sequence[status.NodeSums]) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    def each(name: str) -> list[Sample]:
        values = [(row.node, getattr(row, name)) for row in found]
        return [({"node": node}, float(value)) for node, value in values if value is not None]

    yield (
        "cclear_pull_lag_seconds",
        "Seconds between now and the end of what is covered, of the monitor that is furthest behind.",
        each("lag"),
    )
    owed = "Seconds of the node's history that its monitors have not fetched yet, added up."
    yield "cclear_pull_owed_seconds", owed, each("owed")
    again = "Seconds that somebody asked to be pulled again and that were not replaced yet, added up."
    yield "cclear_pull_stale_seconds", again, each("stale")
    yield "cclear_pull_lost_seconds", "Seconds that nodes had lost before they were fetched.", each("lost")
    yield "cclear_pulls_failing", "Monitors whose last pull from the node failed.", each("failing")


def _of_all(sums: status.Totals) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    states = [({"state": key}, float(n)) for key, n in sums.states.items()]
    yield "cclear_pulls", "Pulls (a monitor on a node) by state.", states
    lags = [({"quantile": q}, lag) for q, lag in (("0.5", sums.lag_p50), ("0.99", sums.lag_p99)) if lag is not None]
    yield "cclear_pull_lag_quantile_seconds", "How far pulls are behind, over all of them.", lags
    yield "cclear_pulls_running", "Pulls that a worker has in hand.", [({}, sums.running)]
    yield "cclear_pulls_late", f"Pulls due for more than {status.OVERDUE_S} s.", [({}, sums.late)]
    yield "cclear_pulls_per_second", "Over the last ten seconds.", [({}, sums.pulls_per_s)]
    yield "cclear_rows_per_second", "Rows written, over about the last minute.", [({}, sums.rows_per_s)]
    yield "cclear_rollup_backlog", "Runs that are due to be rolled up.", [({}, sums.backlog)]
    yield "cclear_broker_up", "1 while the broker answers.", [({}, float(sums.queues is not None))]
    waiting = [({"queue": queue}, float(n)) for queue, n in (sums.queues or {}).items()]
    yield "cclear_queue_messages", "Messages that wait for a worker.", waiting


def _by_node(nodes: Sequence[Node], value: Callable[[Node], float]) -> list[Sample]:
    return [({"node": node.name}, value(node)) for node in nodes]


def _family(name: str, help_text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        words = ",".join(f'{key}="{_escape(word)}"' for key, word in labels.items())
        lines.append(f"{name}{{{words}}} {value:g}" if words else f"{name} {value:g}")
    return "\n".join(lines) + "\n"


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
