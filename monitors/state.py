"""How monitors and nodes are doing, as a colour and a sentence: what lists, pages and the admin show. No markup."""

from __future__ import annotations

import datetime as dt
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
    if pull.error:
        return State("warning" if pull.failures < 3 else "down", pull.error, lag)
    if until is None:
        return State("unknown", "Nothing pulled yet", None)
    if standing:
        whole = pull.node.complete is None or until >= pull.node.complete
        return State("ok", "All that the node has") if whole else State("busy", "Fetching history")
    if lag is not None and lag > max(LATE_S, 3 * pull.monitor.interval_s + 2 * pull.monitor.resolution):
        return State("warning", f"{spoken(lag)} behind", lag)
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
    oldest = pull.node.oldest
    if oldest is None or not pull.covered:
        return False
    have = length(normalized((*pull.covered, *pull.lost, *pull.frozen)))
    return pull.covered[-1][1] - max(oldest, 0) - have > 2 * pull.monitor.resolution


def view(pull: Pull, now: float) -> PullView:
    covered = pull.covered
    return PullView(
        pull,
        of_pull(pull, now),
        dt.datetime.fromtimestamp(covered[0][0], UTC) if covered else None,
        dt.datetime.fromtimestamp(covered[-1][1], UTC) if covered else None,
        spoken(length(covered)) if covered else "",
        spoken(length(pull.lost)) if pull.lost else "",
    )
