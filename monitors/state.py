"""How monitors and nodes are doing, as a colour and a sentence: what lists, pages and the admin show. No markup."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitors.intervals import length, normalized
from monitors.models import Monitor, Node, Pull
from monitors.nodes.health import spoken, state_of
from monitors.pulls.plan import STANDING_S
from monitors.series.tiers import UTC

# Colour keys from good to bad; a list shows the worst.
SEVERITY = ("off", "unknown", "ok", "busy", "warning", "down")
COLOURS = {"off": "grey", "unknown": "grey", "ok": "green", "busy": "green", "warning": "amber", "down": "red"}
LATE_S = 60
# Due for longer, its node answering and nobody at it: there is no worker, or beat is not running.
IDLE_S = 30


@dataclass(frozen=True)
class State:
    """`key` is one of SEVERITY; `lag_s` how far the newest sample is behind the present, None where it stands still."""

    key: str
    words: str
    lag_s: float | None = None

    @property
    def colour(self) -> str:
        return COLOURS[self.key]

    @property
    def lag(self) -> str:
        return "" if self.lag_s is None else spoken(self.lag_s)


@dataclass(frozen=True)
class PullView:
    """One row of a table of pulls."""

    pull: Pull
    state: State
    covered_from: dt.datetime | None
    covered_until: dt.datetime | None
    covered: str
    lost: str
    next_run: str = ""
    rows_per_s: float = 0.0
    history: float | None = None


def of_node(node: Node, now: float) -> State:
    key, words = state_of(node, now)
    lag = None if node.complete is None or stands(node, now) else max(0.0, now - node.complete)
    return State(key, words, lag)


def of_pull(pull: Pull, now: float) -> State:
    """One monitor on one node."""
    until = pull.complete_until
    standing = stands(pull.node, now)
    lag = None if until is None or standing else max(0.0, now - until)
    if not (pull.monitor.enabled and pull.node.enabled):
        return State("off", "Switched off", lag)
    if not pull.is_asked:
        return State("off", "No longer asked: what was pulled stays", lag)
    if pull.error:
        return State("warning" if pull.failures < 3 else "down", pull.error, lag)
    if (until is None or not standing) and (waits_s := idle_s(pull, now)) > IDLE_S:
        return State("warning", f"Due for {spoken(waits_s)}: are beat and a worker for pulls running?", lag)
    if until is None:
        return State("unknown", "Nothing pulled yet", None)
    if standing and pull.stale:
        return State("busy", "Pulling history again", lag)
    if standing:
        whole = pull.node.complete is None or until >= pull.node.complete
        return State("ok", "All that the node has") if whole else State("busy", "Fetching history")
    if lag is not None and lag > max(LATE_S, 3 * pull.monitor.interval_s + 2 * pull.monitor.resolution):
        return State("warning", f"{spoken(lag)} behind", lag)
    if pull.stale:
        return State("busy", f"Up to date, pulling {spoken(length(pull.stale))} of history again", lag)
    if is_behind(pull):
        return State("busy", "Up to date, fetching history", lag)
    return State("ok", "Up to date", lag)


def of_monitor(monitor: Monitor, pulls: Sequence[Pull], now: float) -> State:
    """The worst of its pulls, in one sentence."""
    if not monitor.enabled:
        return State("off", "Switched off")
    if not pulls:
        return State("unknown", "No nodes chosen yet")
    states = [(pull, of_pull(pull, now)) for pull in pulls]
    pull, worst = max(states, key=lambda pair: SEVERITY.index(pair[1].key))
    lags = [state.lag_s for _, state in states if state.lag_s is not None]
    bad = sum(state.key in ("warning", "down") for _, state in states)
    words = worst.words
    if bad and len(states) > 1:
        words = f"{pull.node.name}: {words}" + (f" (and {bad - 1} more)" if bad > 1 else "")
    return State(worst.key, words, max(lags, default=None))


def stands(node: Node, now: float) -> bool:
    """Whether the node brings nothing new: a store of captures, not a running capture."""
    return node.complete is not None and node.complete < now - STANDING_S and node.status.get("mode") != "capture"


def is_behind(pull: Pull) -> bool:
    """Whether history that the node has is still missing."""
    have = _have(pull)
    return have is not None and have[1] - have[0] > 2 * pull.monitor.resolution


def history(pull: Pull) -> float | None:
    """Share of the node's history that is here, or known to be lost or removed; None where nothing is known."""
    have = _have(pull)
    return None if have is None or have[1] <= 0 else min(1.0, max(0.0, have[0] / have[1]))


def _have(pull: Pull) -> tuple[int, int] | None:
    """Seconds that are settled, of how many."""
    oldest = pull.node.oldest
    if oldest is None or not pull.covered:
        return None
    settled = length(normalized((*pull.covered, *pull.lost, *pull.frozen)))
    return settled, pull.covered[-1][1] - max(oldest, 0)


def idle_s(pull: Pull, now: float) -> float:
    """For how long a pull that could run has been due without anybody taking it."""
    if pull.next_run is None or is_open(pull.node, now) or is_running(pull, now):
        return 0.0
    return max(0.0, now - pull.next_run.timestamp())


def is_running(pull: Pull, now: float) -> bool:
    return pull.lease_until is not None and pull.lease_until.timestamp() > now


def is_open(node: Node, now: float) -> bool:
    """Whether the node's breaker keeps everybody away."""
    return node.retry_at is not None and node.retry_at.timestamp() > now


def next_run(pull: Pull, now: float) -> str:
    """When it runs next, in words."""
    if not (pull.is_asked and pull.monitor.enabled and pull.node.enabled):
        return "never"
    if is_running(pull, now):
        return "running"
    wait_s = pull.next_run.timestamp() - now
    if is_open(pull.node, now):
        assert pull.node.retry_at is not None
        wait_s = max(wait_s, pull.node.retry_at.timestamp() - now)
    return f"in {spoken(wait_s)}" if wait_s >= 0.5 else "now" if wait_s > -2 else f"due for {spoken(-wait_s)}"


def rows_per_s(pull: Pull, now: float) -> float:
    """Rows per second, over about the last minute."""
    if pull.last_run is None:
        return 0.0
    age_s = min(600.0, max(0.0, now - pull.last_run.timestamp()))
    return pull.rows_per_s * math.exp(-age_s / 60)


def view(pull: Pull, now: float) -> PullView:
    covered = pull.covered
    return PullView(
        pull,
        of_pull(pull, now),
        dt.datetime.fromtimestamp(covered[0][0], UTC) if covered else None,
        dt.datetime.fromtimestamp(covered[-1][1], UTC) if covered else None,
        spoken(length(covered)) if covered else "",
        spoken(length(pull.lost)) if pull.lost else "",
        next_run(pull, now),
        rows_per_s(pull, now),
        history(pull),
    )
