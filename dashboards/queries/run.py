"""QuerySpec -> Frame: find the monitors, choose the step, read bases, finish metrics, say what is missing.

Sums and rates are not measurable while a node is missing: such a value would be too small and look like a fact. It is
left out of `values` and kept apart as `partial`, a lower bound that panels may draw faintly. Percentiles and ratios of
what the other nodes saw stay true, and stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from cstor.metrics.columns import METRICS
from cstor.metrics.finalize import QUANTILES, finalize, sample_count
from cstor.metrics.metric import Metric, Subject
from dashboards.queries.drilldown import filter_of
from dashboards.queries.frame import Floats, Frame, Gap, Series
from dashboards.queries.history import NO_HISTORY, History
from dashboards.queries.spec import COMPARE_S, MetricStat, QuerySpec, SpecError
from dashboards.queries.subjects import Subjects, find_subjects
from dashboards.queries.thresholds import threshold_of
from dashboards.queries.timerange import DRAWN_POINTS, RangeError, auto_step, fitting_step, span_text
from monitors.labels.names import names_in
from monitors.series.criteria import CannotAnswer
from monitors.series.label_keys import LABEL_KEYS
from monitors.series.read import ReadRequest, ReadResult, extent, finest_kept, read
from wire.filters.grammar import FilterError

VISIBILITY = METRICS["visibility"]
VOLUME: dict[Subject, tuple[str, ...]] = {
    "conversations": ("bytes_client", "bytes_server"),
    "points": ("points_bytes",),
    "node": ("node_packets",),
}
COMPARED = {"1d": "A day earlier", "7d": "A week earlier"}
RANK_POOL = 300
MAX_GAPS = 200


@dataclass(frozen=True)
class Span:
    """Where and how finely to look: epoch seconds, `start` and `end` as asked, `low` and `high` on the step's grid."""

    start: int
    end: int
    step: int

    @property
    def low(self) -> int:
        return self.start // self.step * self.step

    @property
    def high(self) -> int:
        return -(-self.end // self.step) * self.step


def run(spec: QuerySpec, now: datetime, points: int = DRAWN_POINTS) -> Frame:
    """The answer of one query at the moment `now`; SpecError says what cannot be asked, in plain words."""
    subjects = find_subjects(spec)
    span, warnings = _span(spec, subjects, now, points)
    frame = _frame(spec, subjects, span)
    if spec.compare:
        frame = _compared(spec, subjects, span, frame)
    kept = extent(subjects.monitors) if frame.is_empty else None
    if kept:
        warnings.append(f"No data in this range. Data from {span_text(*kept, spec.range.zone)}.")
    if not subjects.monitors:
        warnings.append("There is no monitor yet.")
    return replace(frame, kept=kept, warnings=(*warnings, *frame.warnings))


def _span(spec: QuerySpec, subjects: Subjects, now: datetime, points: int) -> tuple[Span, list[str]]:
    try:
        start, end = spec.range.resolve(now)
    except RangeError as error:
        raise SpecError("range", str(error)) from None
    finest = finest_kept(subjects.monitors, start, end)
    if not spec.step:
        return Span(start, end, auto_step(end - start, finest, points)), []
    step = fitting_step(spec.step, end - start, finest)
    warnings = [f"A step of {spec.step} s is not kept or gives too many points here; {step} s is used."]
    return Span(start, end, step), warnings if step != spec.step else []


def _frame(spec: QuerySpec, subjects: Subjects, span: Span) -> Frame:
    request = _request(spec, subjects, span)
    try:
        result = read(request, subjects.monitors)
    except FilterError as error:
        raise SpecError("filter", str(error)) from None
    except CannotAnswer as error:
        raise SpecError("by", str(error)) from None
    order = _order(spec, result)
    said = History(result.definitions, spec, span.start, span.end)
    series = [
        item
        for metric in spec.metrics
        for item in _series(metric, result, _counted(metric, result, order), subjects, said)
    ]
    if not series and result.groups and spec.subject != "conversations":
        series = _in_total(spec, request, subjects, said)
    other_share = result.other_share
    if spec.top and _has_rest(spec, request):
        rest, other_share = _rest(spec, request, result, order, subjects)
        series += rest
    return Frame(
        times=result.times,
        series=tuple(series),
        step=span.step,
        tier=result.tier,
        start=span.start,
        end=span.end,
        zone=spec.range.zone,
        gaps=_gaps(result, span),
        changes=said.changes(),
        complete_until=result.complete_until,
        other_share=other_share,
        visibility=_visibility(result),
        warnings=(*said.warnings(request, span.step), *_label_warnings(spec, result), *_silent(subjects, result)),
        names={monitor.slug: monitor.name for monitor in subjects.monitors} | names_in(item.keys for item in series),
        filters={str(item.keys): filter_of(item.keys, spec, subjects, said) for item in series},
    )


def _request(spec: QuerySpec, subjects: Subjects, span: Span) -> ReadRequest:
    """Bases in every bucket for what is drawn; for ranks and visibility one number per group is enough."""
    bases = dict.fromkeys(base for metric in spec.metrics for base in needed(METRICS[metric.key], metric.stat))
    whole = dict.fromkeys((*VISIBILITY.bases, *VOLUME[spec.subject]))
    order = VOLUME[spec.subject]
    limit = RANK_POOL
    if spec.top:
        ranked = METRICS[spec.top.metric]
        whole |= dict.fromkeys(needed(ranked, spec.top.stat))
        order = _ranking_bases(ranked)
        if ranked.kind == "counter":
            limit = spec.top.n
    return ReadRequest(
        monitor_ids=tuple(monitor.pk for monitor in subjects.monitors),
        bases=tuple(bases),
        start=span.low,
        end=span.high,
        step=span.step,
        by=spec.by,
        filter=spec.filter,
        order=order,
        limit=limit,
        node_ids=tuple(subjects.node_ids),
        whole=tuple(base for base in whole if base not in bases),
        volume=VOLUME[spec.subject],
    )


def needed(metric: Metric, stat: str) -> tuple[str, ...]:
    """The bases that one stat is finished from, and what it stands on."""
    if metric.kind != "histogram":
        return metric.bases
    (key,) = metric.terms
    ends = (f"{key}_count", f"{key}_min", f"{key}_max")
    if stat in QUANTILES:
        return (key, *ends)
    return {"count": ends[:1], "mean": (ends[0], f"{key}_sum")}.get(stat, ends)


def _ranking_bases(metric: Metric) -> tuple[str, ...]:
    """Sums that bring the groups that matter to the front; ratios and percentiles are ranked among those later."""
    if metric.kind == "histogram":
        return (metric.bases[1],)
    positive = {**metric.terms, **metric.per} if metric.kind == "ratio" else metric.terms
    sums = tuple(key for key, weight in positive.items() if weight > 0)
    return sums if metric.kind != "extreme" else VOLUME[metric.subject]


def _counted(metric: MetricStat, result: ReadResult, order: list[int]) -> list[int]:
    """Of the nodes' own counters and of links each group has a few: those in which this one was ever counted."""
    declared = METRICS[metric.key]
    if declared.subject == "conversations" or not any(set(group) - {"node", "monitor"} for group in result.groups):
        return order
    return [row for row in order if any(result.seen[key][row] for key in declared.terms)]


def _in_total(spec: QuerySpec, request: ReadRequest, subjects: Subjects, said: History) -> list[Series]:
    """A counter that has counted nothing in any group: nothing was dropped, which is worth a line at 0."""
    by = tuple(key for key in request.by if key in ("node", "monitor"))
    total = read(replace(request, by=by, filter="", whole=()), subjects.monitors)
    counters = [metric for metric in spec.metrics if METRICS[metric.key].kind == "counter"]
    rows = list(range(len(total.groups)))
    return [item for metric in counters for item in _series(metric, total, rows, subjects, said)]


def _order(spec: QuerySpec, result: ReadResult) -> list[int]:
    """Rows of the answer in the order of their rank, the first n of them."""
    rows = list(range(len(result.groups)))
    if spec.top is None or not rows:
        return rows
    values = finalize(METRICS[spec.top.metric], spec.top.stat, result.whole, _whole_seconds(result))
    ranked = sorted(rows, key=lambda row: -values[row] if np.isfinite(values[row]) else np.inf)
    return ranked[: spec.top.n]


def _whole_seconds(result: ReadResult) -> Floats:
    total = result.seconds.reshape(len(result.groups), len(result.times)).sum(axis=1)
    return np.where(total > 0, total, np.nan)


def _series(
    metric: MetricStat, result: ReadResult, order: list[int], subjects: Subjects, said: History
) -> list[Series]:
    """One series per group for this metric."""
    declared = METRICS[metric.key]
    shape = (len(result.groups), len(result.times))
    seconds = np.where(result.seconds > 0, result.seconds, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = finalize(declared, metric.stat, result.columns, seconds)
        whole = finalize(declared, metric.stat, result.whole, _whole_seconds(result))
    is_sum = declared.kind == "counter" or metric.stat == "count"
    unsure = result.partial if is_sum else np.zeros_like(result.partial)
    partial = np.where(unsure, values, np.nan).reshape(shape)
    values = np.where(result.blind | unsure, np.nan, values).reshape(shape)
    whole = np.where(result.blind.reshape(shape).all(axis=1), np.nan, whole)
    if metric.stat == "rate":
        whole = _rate_of_whole_steps(values, result.seconds.reshape(shape), whole)
    counts = np.where(result.blind, 0, sample_count(declared, result.columns)).reshape(shape)
    whole_n = sample_count(declared, result.whole)
    folded = result.folded.reshape(shape)
    return [
        Series(
            keys=subjects.named(result.groups[row]) | said.key(result.until[row]),
            metric=metric.key,
            stat=metric.stat,
            unit=declared.symbol_of(metric.stat),
            values=values[row],
            n=counts[row],
            partial=partial[row],
            whole=float(whole[row]),
            whole_n=float(whole_n[row]),
            threshold=threshold_of(declared, subjects.monitors, result.groups[row].get("monitor")),
            lower_bound=is_sum
            and bool(folded[row].any() or (metric.stat != "rate" and np.isfinite(partial[row]).any())),
        )
        for row in order
    ]


def _rate_of_whole_steps(values: Floats, seconds: Floats, whole: Floats) -> Floats:
    """Rates over the steps in which every node was there, if there are any: a missing node would lower the mean."""
    measured = np.isfinite(values)
    covered = np.where(measured, seconds, 0).sum(axis=1)
    total = np.where(measured, values * seconds, 0).sum(axis=1)
    return np.divide(total, covered, out=whole.copy(), where=covered > 0)


def _has_rest(spec: QuerySpec, request: ReadRequest) -> bool:
    """Whether "all the others" means something: not under a filter, and not by host, which counts all twice."""
    return request.needs_groups and not spec.filter and not {"host", "monitor", "node"} & set(spec.by)


def _rest(
    spec: QuerySpec, request: ReadRequest, result: ReadResult, order: list[int], subjects: Subjects
) -> tuple[list[Series], float | None]:
    """What the total has beyond the groups shown, for sums and rates; and its share of all bytes."""
    share = None
    if result.volume and result.volume[0]:
        shown = sum(float(np.nansum(np.asarray(result.whole[key])[order])) for key in request.volume)
        share = max(result.volume[0] - shown, 0.0) / result.volume[0]
    counters = [metric for metric in spec.metrics if METRICS[metric.key].kind == "counter"]
    if not counters:
        return [], share
    bases = tuple(dict.fromkeys(base for metric in counters for base in METRICS[metric.key].bases))
    total = read(replace(request, by=(), bases=bases, whole=()), subjects.monitors)
    for key in bases if total.groups else ():
        shown_of = result.columns[key].reshape(len(result.groups), len(result.times))[order].sum(axis=0)  # type: ignore[union-attr]
        total.columns[key] = np.maximum(total.columns[key] - shown_of, 0)  # type: ignore[operator]
        total.whole[key] = np.array([np.sum(total.columns[key])])
    nobody = Subjects([], [], {})
    rest = [_series(metric, total, [0], nobody, NO_HISTORY)[0] for metric in counters if total.groups]
    return [replace(item, keys={"other": True}) for item in rest], share


def _label_warnings(spec: QuerySpec, result: ReadResult) -> list[str]:
    """Labels stand on groups: what the nodes folded into `other` carries none, so each label's figure lacks a part."""
    labels = [key for key in spec.by if key in LABEL_KEYS]
    out = [
        f"No conversation here has a {LABEL_KEYS[key].noun}: define some under Labels."
        for key in labels
        if result.groups and all(group[key] is None for group in result.groups)
    ]
    if labels and result.other_share:
        share = f"{result.other_share:.1%}" if result.other_share >= 0.001 else "Under 0.1%"
        share = share.replace("%", " %")
        out.append(f"{share} of all bytes were folded into Other by the nodes, where no label can be told.")
    return out


def _silent(subjects: Subjects, result: ReadResult) -> list[str]:
    """Nodes that are asked and have never answered: their part is missing from the start, which no gap shows."""
    names = {monitor.pk: monitor.name for monitor in subjects.monitors}
    said: dict[tuple[str, str], list[str]] = {}
    for one in result.silent:
        said.setdefault((one.node, one.error), []).append(names.get(one.monitor_id, ""))
    return [
        f"{node} has never answered{'' if len(names) == 1 else f' for {asking[0]}' + _more(len(asking))}: {error}"
        for (node, error), asking in said.items()
    ]


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""


def _compared(spec: QuerySpec, subjects: Subjects, span: Span, frame: Frame) -> Frame:
    """The same question of the same length, a day or a week earlier, beside the present one."""
    back = COMPARE_S[spec.compare] // span.step * span.step
    earlier = _frame(replace(spec, compare=""), subjects, Span(span.start - back, span.end - back, span.step))
    shown = {(str(item.keys), item.metric, item.stat) for item in frame.series}
    past = [
        replace(item, compared=spec.compare)
        for item in earlier.series
        if (str(item.keys), item.metric, item.stat) in shown and len(item.values) == len(frame.times)
    ]
    changed = [f"{COMPARED[spec.compare]}: {text}" for _, text in earlier.changes]
    return replace(frame, series=(*frame.series, *past), warnings=(*frame.warnings, *changed))


def _gaps(result: ReadResult, span: Span) -> tuple[Gap, ...]:
    blind = np.asarray(result.blind.reshape(len(result.groups), len(result.times)).all(axis=0))
    gaps: list[Gap] = []
    for item in result.gaps:
        low, high = max(item.start, span.start), min(item.end, span.end)
        if high <= low:
            continue
        first, last = (low - span.low) // span.step, (high - 1 - span.low) // span.step
        gaps.append(Gap(low, high, item.reason, bool(result.groups and blind[first : last + 1].any()), item.kind))
    longest = sorted(gaps, key=lambda gap: gap.start - gap.end)[:MAX_GAPS]
    return tuple(sorted(longest, key=lambda gap: gap.start))


def _visibility(result: ReadResult) -> float | None:
    if not result.groups:
        return None
    summed: Any = {key: np.array([np.nansum(result.whole[key])]) for key in VISIBILITY.bases}
    value = float(finalize(VISIBILITY, "percent", summed, 1.0)[0])
    return value if np.isfinite(value) else None
