"""QuerySpec: the one question that screens, API, links and reports ask of the samples.

The same words are JSON (`POST /api/v1/query`) and URL parameters; both ways round give the same spec. What a spec may
say is checked here, in plain words that name the field; what a monitor can answer is checked when it is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cstor.metrics.columns import METRICS, column_of
from cstor.metrics.metric import Subject
from dashboards.queries.timerange import RangeError, TimeRange, zone_of
from monitors.series.label_keys import LABEL_KEYS

KEYS = (
    "client_ip",
    "server_ip",
    "server_port",
    "protocol",
    "vni",
    "vlan",
    "is_copy",
    "client_net",
    "server_net",
    "host",
    "monitor",
    "node",
    "source",
    "thread",
    "reason",
    *LABEL_KEYS,
)
LAST_HOUR = TimeRange()
COMPARE_S = {"1d": 86400, "7d": 604800}
MAX_TOP = 200
MAX_METRICS = 40
SUBJECT_WORDS = {"conversations": "conversations", "points": "links", "node": "the nodes' own counters"}
FIELDS = ("monitors", "nodes", "metrics", "by", "filter", "range", "step", "top", "compare")


class SpecError(ValueError):
    """A question that cannot be asked: `field` says where, the message what is wrong and what would do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True)
class MetricStat:
    """One number to draw: `response_time` as `p95`."""

    key: str
    stat: str

    def __str__(self) -> str:
        return f"{self.key}:{self.stat}"


@dataclass(frozen=True)
class Top:
    """The `n` groups that rank first by this metric over the whole range."""

    n: int
    metric: str = "bytes"
    stat: str = "sum"

    def __str__(self) -> str:
        return f"{self.n}:{self.metric}:{self.stat}"


@dataclass(frozen=True)
class QuerySpec:
    """`monitors` are slugs (none: every enabled monitor), `nodes` names (none: all), `step` 0 means auto."""

    metrics: tuple[MetricStat, ...]
    monitors: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    filter: str = ""
    range: TimeRange = LAST_HOUR
    step: int = 0
    top: Top | None = None
    compare: str = ""

    @classmethod
    def from_json(cls, data: Any) -> QuerySpec:
        if not isinstance(data, Mapping):
            raise SpecError("", "a query is a JSON object with at least metrics")
        unknown = [name for name in data if name not in FIELDS]
        if unknown:
            raise SpecError(str(unknown[0]), f'unknown field "{unknown[0]}"; known: {", ".join(FIELDS)}')
        metrics = _metrics(data.get("metrics"))
        return cls(
            metrics=metrics,
            monitors=_words(data.get("monitors"), "monitors"),
            nodes=_words(data.get("nodes"), "nodes"),
            by=_keys(_words(data.get("by"), "by")),
            filter=_text(data.get("filter"), "filter"),
            range=_range(data.get("range")),
            step=_step(data.get("step", "auto")),
            top=_top(data.get("top"), METRICS[metrics[0].key].subject),
            compare=_compare(data.get("compare")),
        )

    @property
    def subject(self) -> Subject:
        """What it is about: conversations, links or the nodes themselves."""
        return METRICS[self.metrics[0].key].subject

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "monitors": list(self.monitors),
            "metrics": [{"key": metric.key, "stat": metric.stat} for metric in self.metrics],
            "by": list(self.by),
            "filter": self.filter,
            "range": {"from": self.range.start, "to": self.range.end, "zone": self.range.zone},
            "step": self.step or "auto",
        }
        if self.nodes:
            out["nodes"] = list(self.nodes)
        if self.top:
            out["top"] = {"n": self.top.n, "metric": self.top.metric, "stat": self.top.stat}
        if self.compare:
            out["compare"] = self.compare
        return out

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> QuerySpec:
        """URL parameters in the words of `to_params`: lists are comma-separated, a metric is `key:stat`."""
        data: dict[str, Any] = {
            "metrics": [_pair(word) for word in _split(params.get("metrics", ""))],
            "range": {"from": params.get("from", "now-1h"), "to": params.get("to", "now")},
        }
        data["range"]["zone"] = params.get("zone", "UTC")
        for name in ("monitors", "nodes", "by"):
            data[name] = _split(params.get(name, ""))
        for name in ("filter", "step", "compare"):
            if params.get(name):
                data[name] = params[name]
        if params.get("top"):
            data["top"] = _top_words(params["top"])
        return cls.from_json(data)

    def to_params(self) -> dict[str, str]:
        named = {
            "monitors": ",".join(self.monitors),
            "nodes": ",".join(self.nodes),
            "metrics": ",".join(map(str, self.metrics)),
            "by": ",".join(self.by),
            "filter": self.filter,
            "from": self.range.start,
            "to": self.range.end,
            "zone": self.range.zone,
            "step": str(self.step or "auto"),
            "top": str(self.top or ""),
            "compare": self.compare,
        }
        return {name: value for name, value in named.items() if value}

    def over(self, range: TimeRange) -> QuerySpec:
        return replace(self, range=range)


def _split(text: str) -> list[str]:
    return [word for word in (part.strip() for part in text.split(",")) if word]


def _pair(word: str) -> dict[str, str]:
    key, _, stat = word.partition(":")
    return {"key": key, "stat": stat} if stat else {"key": key}


def _top_words(text: str) -> dict[str, str]:
    words = text.split(":")
    return dict(zip(("n", "metric", "stat"), words, strict=False))


def _metrics(value: Any) -> tuple[MetricStat, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise SpecError("metrics", 'name at least one metric, such as {"key": "response_time", "stat": "p95"}')
    if len(value) > MAX_METRICS:
        raise SpecError("metrics", f"{len(value)} metrics in one query; at most {MAX_METRICS}")
    found = tuple(_metric(item, "metrics") for item in value)
    subjects = dict.fromkeys(METRICS[metric.key].subject for metric in found)
    if len(subjects) > 1:
        raise SpecError("metrics", f"{' and '.join(map(SUBJECT_WORDS.__getitem__, subjects))} are asked apart")
    return found


def _metric(item: Any, field: str) -> MetricStat:
    if isinstance(item, str):
        item = _pair(item)
    if not isinstance(item, Mapping) or not isinstance(item.get("key"), str):
        raise SpecError(field, 'a metric is {"key": ..., "stat": ...}')
    key = item["key"]
    metric = METRICS.get(key)
    if metric is None:
        raise SpecError(field, f'unknown metric "{key}"; all metrics are listed under /metrics-explained/')
    stat = item.get("stat") or metric.default_stat
    if stat not in metric.stats:
        raise SpecError(field, f'{key} has no "{stat}"; it has {", ".join(metric.stats)}')
    return MetricStat(key, stat)


def _words(value: Any, field: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise SpecError(field, f"{field} is a list")
    if not all(isinstance(word, str | int) and not isinstance(word, bool) for word in value):
        raise SpecError(field, f"{field} is a list of names")
    return tuple(str(word) for word in value)


def _keys(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if word not in KEYS:
            raise SpecError("by", f'cannot group by "{word}"; one can group by {", ".join(KEYS)}')
    if len(set(words)) != len(words):
        raise SpecError("by", "a key is named twice")
    return words


def _text(value: Any, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SpecError(field, f"{field} is text")
    return value.strip()


def _range(value: Any) -> TimeRange:
    if value is None:
        return TimeRange()
    if not isinstance(value, Mapping):
        raise SpecError("range", 'a range is {"from": "now-1h", "to": "now", "zone": "UTC"}')
    words = {name: str(value.get(name) or default) for name, default in (("from", "now-1h"), ("to", "now"))}
    zone = str(value.get("zone") or "UTC")
    try:
        zone_of(zone)
    except RangeError as error:
        raise SpecError("range", str(error)) from None
    return TimeRange(words["from"], words["to"], zone)


def _step(value: Any) -> int:
    if value in (None, "", "auto", 0):
        return 0
    try:
        step = int(value)
    except (TypeError, ValueError):
        step = 0
    if step < 1 or step > 31 * 86400 or isinstance(value, bool):
        raise SpecError("step", f'"{value}" is not a step; use "auto" or seconds from 1 to 31 days')
    return step


def _top(value: Any, subject: Subject) -> Top | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise SpecError("top", 'top is {"n": 10, "metric": "bytes", "stat": "sum"}')
    try:
        n = int(value.get("n", 10))
    except (TypeError, ValueError):
        n = 0
    if not 1 <= n <= MAX_TOP:
        raise SpecError("top", f"top.n is a number from 1 to {MAX_TOP}")
    ranked = _metric({"key": value.get("metric") or column_of(subject, "bytes"), "stat": value.get("stat")}, "top")
    if METRICS[ranked.key].subject != subject:
        raise SpecError("top", f"{ranked.key} is none of {SUBJECT_WORDS[subject]}; rank by one of their metrics")
    return Top(n, ranked.key, ranked.stat)


def _compare(value: Any) -> str:
    if value in (None, ""):
        return ""
    if value not in COMPARE_S:
        raise SpecError("compare", f'"{value}" is not a comparison; use {" or ".join(COMPARE_S)}')
    return str(value)
