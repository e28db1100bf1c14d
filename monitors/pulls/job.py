"""One monitor's part of a batch: the series queries it asks, the answers it gets, and what they bring together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cstor.metrics.metric import Subject
from monitors.intervals import inner, intersect, normalized
from monitors.kinds.kind import KINDS
from monitors.models import Pull
from monitors.pulls.answer import Answer, BadAnswer, joined
from monitors.pulls.normalize import busy_times, normalize
from monitors.pulls.plan import PROBE_STEP_S, Plan, Probe, Window, next_run, quiet, retry_delay_s
from monitors.series.keep import RANKED
from monitors.series.write import Brought

# A monitor that is behind comes again at once, after everybody else had a turn.
BEHIND_AGAIN_S = 1.0

Item = tuple[Window | Probe, bool]


class Job:
    """A pull row, what is planned for it, and what came of it. Whatever is wrong stays in `error`."""

    def __init__(self, pull: Pull, plan: Plan, told: dict[str, int]) -> None:
        self.pull = pull
        self.told = told
        self.monitor = pull.monitor
        self.plan = plan
        self.error = ""
        self.is_cut = self.is_refused = False
        self.groups: dict[Window, Answer] = {}
        self.totals: dict[Window, Answer] = {}
        self.busy: dict[Probe, list[int]] = {}
        kind = KINDS.get(self.monitor.kind)
        if kind is None:
            self.error = f"this console does not know the monitor kind {self.monitor.kind!r}"
        self._what = kind.query(self.monitor.filter, self.monitor.keys, self.monitor.config) if kind else {"by": []}
        self._subject: Subject = kind.subject if kind else "conversations"
        # Every conversation counts at both its hosts: their total is twice the traffic, so the true one is asked for.
        self._apart = "host" in self._what["by"]

    @property
    def head_queries(self) -> int:
        """How many queries ask for one window."""
        return 2 if self._apart else 1

    def queries(self) -> Iterator[tuple[Item, dict[str, Any]]]:
        """What to ask, the newest first, each with what `take` needs to place the answer."""
        if self.error:
            return
        monitor, by = self.monitor, self._what["by"]
        for window in self.plan.windows:
            if by:
                kept = monitor.keep if self._subject in RANKED else []
                ranked = {"limit": monitor.top_n, "keep": kept, "totals": not self._apart}
                yield (window, False), self._query(window, monitor.resolution, **ranked)
            if self._apart or not by:
                yield (window, True), self._query(window, monitor.resolution, by=[])
        for probe in self.plan.probes:
            yield (probe, True), self._query(probe, PROBE_STEP_S, by=[], metrics=["packets"])

    def _query(self, item: Window | Probe, step: int, **options: Any) -> dict[str, Any]:
        return {**self._what, "from": item.start, "to": item.stop, "step": step, **options}

    def take(self, item: Window | Probe, total_only: bool, answer: dict[str, Any], now: float) -> int:
        """Check one answer and put it where it belongs; the number of its rows."""
        try:
            if isinstance(item, Probe):
                self.busy[item] = busy_times(answer, item)
                return 0
            by = [] if total_only else self._what["by"]
            found = normalize(answer, item, self.monitor.resolution, by, self.monitor.revision, now, self._subject)
            (self.totals if total_only else self.groups)[item] = found
            return len(found.rows)
        except BadAnswer as problem:
            self.fail(str(problem))
            return 0

    def fail(self, error: str) -> None:
        """Keep the first error: what follows is often its consequence. PostgreSQL has no text with a NUL."""
        self.error = self.error or error.replace("\0", "")

    def refuse(self, error: str) -> None:
        """The call as a whole failed: that is the node's trouble, not this monitor's."""
        self.is_refused = not self.error
        self.fail(error)

    def answers(self) -> list[tuple[Window, Answer]]:
        """Windows that were answered. An hour is replaced as a whole or not at all."""
        found = {**self.groups, **self.totals}
        if self._apart:
            both = self.groups.keys() & self.totals.keys()
            found = {window: joined(self.groups[window], self.totals[window]) for window in both}
        hours = [window for window in self.plan.windows if window.replace and not window.again]
        if any(window not in found for window in hours):
            found = {window: answer for window, answer in found.items() if window not in hours}
        step = self.monitor.resolution
        return [(window, still_there(answer, step) if window.again else answer) for window, answer in found.items()]

    def brought(self, took_ms: int, now: float) -> Brought:
        """What to write. An error comes with it: good windows are kept even so, and the next run backs off."""
        monitor, pull = self.monitor, self.pull
        answers = tuple(self.answers())
        due = next_run(now, monitor.interval_s, monitor.pk, pull.node_id)
        # While the whole node fails its breaker decides: what is due when it closes must not wait for longer.
        if self.error and not self.is_refused:
            due = now + retry_delay_s(pull.failures + 1, monitor.interval_s)
        elif not self.error and (self.plan.behind or self.is_cut):
            due = min(due, now + BEHIND_AGAIN_S)
        return Brought(
            monitor.pk,
            monitor.revision,
            monitor.resolution,
            due,
            answers,
            lost=self.plan.lost,
            quiet=normalized(pair for probe, busy in self.busy.items() for pair in quiet(probe, busy)),
            probed=normalized((probe.start, probe.stop) for probe in self.busy),
            settled=normalized([*self.plan.settled, *((w.start, w.stop) for w, _ in answers if w.replace)]),
            took_ms=took_ms,
            error=self.error,
            told=self.told,
        )


def still_there(answer: Answer, step: int) -> Answer:
    """An answer to what is pulled again, less what the node has lost: our older rows of that time stay."""
    times = [(int(t), int(t) + step) for t in set(answer.rows.t)]
    known = normalized([*(inner(watched, step) for watched in answer.observed), *times])
    return replace(answer, covered=intersect(answer.covered, known), lost=())
