"""Which windows of a monitor to ask a node for: pure arithmetic over sets of seconds.

Missing is what lies between the node's oldest bucket and now and is neither covered, nor lost for ever, nor frozen
(removed here by retention). The newest missing stretch comes first, so "now" is never late; older stretches follow in
bounded windows as far as the budget of the call goes. All ends are multiples of the monitor's step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitors.intervals import Interval, Intervals, clip, inner, intersect, normalized, outer, subtract, union

# A window has at most this many buckets: 6 minutes of 1 s, 1 hour of 10 s, 6 hours of 1 min.
WINDOW_BUCKETS = 360
HOUR_S = 3600
DAY_S = 86_400
# Gaps longer than this many windows are looked over in coarse queries, and only stretches with traffic are pulled.
PROBE_GAP_WINDOWS = 4
PROBE_STEP_S = 600
PROBE_MAX_S = 400 * DAY_S
MAX_PROBES = 8
FUTURE_S = DAY_S
# A node that is complete only up to longer ago stands still: a store of captures, or a capture that is stuck.
STANDING_S = 120


@dataclass(frozen=True)
class Extent:
    """What is known of the node: where its data begins, its newest bucket, the end of complete data; epoch seconds."""

    oldest: int | None = None
    newest: int | None = None
    complete_until: int | None = None
    ahead_s: int = 0


@dataclass(frozen=True)
class State:
    """What a pull row says; see `monitors.models.Pull`."""

    covered: Intervals = ()
    lost: Intervals = ()
    frozen: Intervals = ()
    revisions: dict[str, list[int]] = field(default_factory=dict)
    probed: Intervals = ()
    stale: Intervals = ()


@dataclass(frozen=True)
class Window:
    """[start, stop) to ask for. `replace`: it is covered, and its rows are replaced, since the node has a new revision
    of its hour or, `again`, since somebody asked for the monitor's present definition."""

    start: int
    stop: int
    replace: bool = False
    again: bool = False


@dataclass(frozen=True)
class Probe:
    """A part of a long gap to be looked over in steps of PROBE_STEP_S: where is any traffic?"""

    start: int
    stop: int


@dataclass(frozen=True)
class Plan:
    """`windows` newest first; `lost` is known to be gone; `behind` says that more is missing than was planned;
    `settled` cannot be pulled again: the node no longer has it, so what is here stays."""

    windows: tuple[Window, ...] = ()
    lost: Intervals = ()
    probes: tuple[Probe, ...] = ()
    behind: bool = False
    settled: Intervals = ()
    older: int = 0


def plan(
    state: State, extent: Extent, now: float, step: int, backfill: int, head_buckets: int = WINDOW_BUCKETS
) -> Plan:
    """The head window, of at most `head_buckets`, and up to `backfill` older ones; probes and what is replaced count
    among these."""
    end = _end(extent, now, step)
    begin = _begin(state, extent, end, step)
    gone = _lost(state, extent, step)
    known = union(union(state.covered, state.frozen), union(state.lost, gone))
    missing = subtract([(begin, end)], known)
    probes = _probes(state, missing, step, min(MAX_PROBES, backfill))
    missing = subtract(missing, [(probe.start, probe.stop) for probe in probes])
    windows, behind = _windows(missing, end, step, backfill - len(probes), head_buckets)
    head = 1 if windows and windows[0].stop == end else 0
    replaced = _replaced(state, end) if backfill else ()
    stale, settled = _stale(state, extent, end, step)
    wanted = subtract(stale, [(window.start, window.stop) for window in replaced])
    again, more = _again(wanted, step, backfill - len(probes) - len(windows) + head - len(replaced))
    found = (*windows, *replaced, *again)
    older = len(found) - head + len(probes)
    return Plan(found, gone, probes, behind or more or bool(probes), settled, older)


def _end(extent: Extent, now: float, step: int) -> int:
    """Now, unless the node's data ends earlier (a store of captures) or its clock runs ahead."""
    end = int(now) + extent.ahead_s
    if extent.newest is not None:
        end = max(end, extent.newest + step)
    end = min(end, int(now) + FUTURE_S)
    if extent.complete_until is not None and extent.complete_until < end - STANDING_S:
        return -(-extent.complete_until // step) * step
    return end // step * step


def _begin(state: State, extent: Extent, end: int, step: int) -> int:
    if extent.oldest is not None:
        return extent.oldest // step * step
    # Nothing is stored there yet: from the newest closed bucket on.
    return state.covered[-1][1] if state.covered else end - step


def _lost(state: State, extent: Extent, step: int) -> Intervals:
    """What lies before the node's oldest bucket and after the first thing we ever pulled is gone for good."""
    if not state.covered or extent.oldest is None:
        return ()
    before = [(state.covered[0][0], extent.oldest // step * step)]
    return subtract(before, union(union(state.covered, state.lost), state.frozen))


def _windows(
    missing: Intervals, end: int, step: int, backfill: int, head_buckets: int
) -> tuple[tuple[Window, ...], bool]:
    windows: list[Window] = []
    for start, stop in reversed(missing):
        while start < stop:
            # The window that reaches the present does not count as backfill.
            if len(windows) >= backfill + (1 if missing[-1][1] == end else 0):
                return tuple(windows), True
            span = (head_buckets if stop == end else WINDOW_BUCKETS) * step
            low = start if stop - start <= span else (stop - 1) // span * span
            windows.append(Window(low, stop))
            stop = low
    return tuple(windows), False


def _probes(state: State, missing: Intervals, step: int, most: int) -> tuple[Probe, ...]:
    """The long gaps, newest first, once each: what is found empty is covered, what is found full pulled in windows."""
    span = WINDOW_BUCKETS * step
    probes: list[Probe] = []
    for start, stop in reversed(missing):
        # The newest window is pulled at once, whatever a probe says of the older ones.
        newest = stop - span if stop == missing[-1][1] else stop
        for low, high in reversed(subtract([(start, newest)], state.probed)):
            low, high = inner((low, high), PROBE_STEP_S)
            while high - low > PROBE_GAP_WINDOWS * span and len(probes) < most:
                probes.append(Probe(max(low, high - PROBE_MAX_S), high))
                high = probes[-1].start
    return tuple(probes)


def quiet(probe: Probe, busy: list[int]) -> Intervals:
    """What of a probed gap is without traffic. The bucket after a busy one counts as busy: connections that were
    decided by a timer (silent, half open) have their verdict there."""
    full = normalized((t, t + 2 * PROBE_STEP_S) for t in busy)
    return subtract([(probe.start, probe.stop)], full)


def stale_hours(revisions: dict[str, list[int]]) -> list[int]:
    """Hours whose data changed on the node since they were pulled, newest first."""
    return sorted((int(hour) for hour, (pulled, told) in revisions.items() if told > pulled), reverse=True)


def _replaced(state: State, end: int) -> tuple[Window, ...]:
    """What is covered of the newest stale hour; one hour per call, since it is replaced in one transaction."""
    for hour in stale_hours(state.revisions):
        pieces = subtract(clip(state.covered, hour, min(hour + HOUR_S, end)), state.frozen)
        if pieces:
            return tuple(Window(start, stop, replace=True) for start, stop in pieces)
    return ()


def _stale(state: State, extent: Extent, end: int, step: int) -> tuple[Intervals, Intervals]:
    """What is to be pulled again, and what of it never can be: here retention has been, or there."""
    if not state.stale:
        return (), ()
    oldest = end if extent.oldest is None else -(-extent.oldest // step) * step
    there = subtract(intersect(clip(state.stale, oldest, end), state.covered), state.frozen)
    if extent.oldest is None:
        return there, ()
    return there, subtract(subtract(state.stale, there), [(end, max(end, state.stale[-1][1]))])


def _again(wanted: Intervals, step: int, most: int) -> tuple[tuple[Window, ...], bool]:
    """The newest of them in aligned windows, as many as may be; whether more is left."""
    windows: list[Window] = []
    span = WINDOW_BUCKETS * step
    for start, stop in reversed(wanted):
        while start < stop:
            if len(windows) >= most:
                return tuple(windows), True
            low = max(start, (stop - 1) // span * span)
            windows.append(Window(low, stop, replace=True, again=True))
            stop = low
    return tuple(windows), False


def next_run(now: float, interval_s: int, monitor_id: int, node_id: int) -> float:
    """The next point of the monitor's own grid: spread by a hash, so that not all are due at the full minute."""
    spread = (monitor_id * 2_654_435_761 + node_id * 40_503) % 2**32 / 2**32
    offset = spread * interval_s
    return ((now - offset) // interval_s + 1) * interval_s + offset


def retry_delay_s(failures: int, interval_s: int) -> float:
    """Back-off of one monitor after its `failures`-th failure in a row: doubling, five minutes at most."""
    return min(300.0, max(2.0, interval_s / 2) * 2 ** min(failures - 1, 8))


def hours_of(interval: Interval) -> range:
    """Hours (epoch seconds of their start) that an interval touches."""
    start, stop = outer(interval, HOUR_S)
    return range(start, stop, HOUR_S)


def merged_revisions(
    known: dict[str, list[int]], told: dict[str, int], covered: Intervals, pulled: Intervals, replaced: Intervals
) -> dict[str, list[int]]:
    """What to remember after an answer: `told` by the node, `covered` before it, `pulled` and `replaced` by it.

    An hour pulled for the first time has the revision that was told; an hour of which a part was there before keeps
    the older one, so that it is replaced as a whole.
    """
    merged = dict(known)
    fresh = {hour for interval in subtract(pulled, replaced) for hour in hours_of(interval)}
    whole = {hour for interval in replaced for hour in hours_of(interval)}
    for name, newest in told.items():
        hour = int(name)
        before = merged.get(name)
        held = bool(clip(covered, hour, hour + HOUR_S))
        if hour in whole or (hour in fresh and not held):
            merged[name] = [newest, newest]
        elif before is not None or held:
            merged[name] = [before[0] if before else 0, newest]
    return {name: pair for name, pair in merged.items() if pair != [0, 0]}
