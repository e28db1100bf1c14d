"""A question about series: what the API and the command line ask, checked and made exact. Pure, no I/O.

id        anything, handed back                       subject  conversations | points (links) | node (its counters)
filter    text of the filter language                 by       keys to group by, [] for one row per bucket
metrics   metric or base keys; all bases if left out  from, to, step   epoch seconds; multiples of the step
order     metrics or sums to rank groups by           limit    groups kept for each of them
keep      groups to keep whatever their rank          totals   add a row per bucket over all groups
points    primary (no copies) | all                   plan     answer counts only
encoding  lists | packed (histograms)

Each subject has keys and metrics of its own. Links know their VNI alone, so a filter over them names VNIs; the node's
counters take no filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, NamedTuple, TypeVar

import numpy as np

from cstor.metrics.metric import SUBJECTS, Subject
from cstor.metrics.registry import BASES_OF, METRICS_OF
from cstor.store import address
from cstor.store.grouping import Ints
from wire.filters.error import FilterRefused
from wire.filters.grammar import Everything, Expression, FilterError, leaves, parse
from wire.filters.terms import Vni

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
)
KEYS_OF: dict[Subject, tuple[str, ...]] = {
    "conversations": KEYS,
    "points": ("vni",),
    "node": ("source", "thread", "reason"),
}
TEXT_KEYS = KEYS_OF["node"]
ADDRESS_KEYS = ("client_ip", "server_ip", "host")
NET_KEYS = ("client_net", "server_net")
DEFAULT_ORDER: dict[Subject, tuple[str, ...]] = {
    "conversations": ("bytes", "failures", "retransmissions"),
    "points": ("bytes", "drops"),
    "node": ("packets", "drops", "events"),
}
DEFAULT_LIMIT = 100
MAX_LIMIT = 50_000
MAX_ROWS = 2_000_000  # of an answer
MAX_TIME = 1 << 40

Choice = TypeVar("Choice", bound=str)


class QueryError(ValueError):
    """A question that cannot be understood; the text says what is wrong and what to do."""


class Ranking(NamedTuple):
    """One thing to rank groups by: a weighted sum of sums."""

    name: str
    terms: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class SeriesQuery:
    """A checked question. `keep` is an [n, width] matrix of group keys, see `key_width`."""

    id: Any
    text: str
    filter: Expression
    by: tuple[str, ...]
    scalars: tuple[str, ...]
    histograms: tuple[str, ...]
    start: int
    end: int
    step: int
    order: tuple[Ranking, ...]
    limit: int
    keep: Ints = field(compare=False)
    totals: bool = False
    copies: bool = False
    plan: bool = False
    packed: bool = False
    subject: Subject = "conversations"


def key_width(key: str) -> int:
    """Int64 columns of a key: two for addresses and networks."""
    return 2 if key in ADDRESS_KEYS or key in NET_KEYS else 1


class Range(NamedTuple):
    """What a question without `from` and `to` is about: all that is there."""

    start: int
    end: int


def parse_query(raw: object, whole: Range) -> SeriesQuery:
    """Check a question as JSON gave it; QueryError or FilterError names what is wrong."""
    if not isinstance(raw, Mapping):
        raise QueryError('a query is an object such as {"by": ["server_ip"], "step": 60}')
    unknown = set(raw) - set(_KNOWN)
    if unknown:
        raise QueryError(f"unknown member {sorted(map(str, unknown))[0]!r}; known: {', '.join(_KNOWN)}")
    subject = _choice(raw, "subject", SUBJECTS)
    text = _text(raw, "filter")
    expression = _about(subject, parse(text), text)
    by = _by(raw, subject)
    step = _integer(raw, "step", 1, low=1, high=MAX_TIME)
    start, end = _range(raw, step, whole)
    scalars, histograms = _bases(_names(raw, "metrics"), subject)
    about_vni = "vni" in by or "is_copy" in by or any(isinstance(leaf, Vni) for leaf in leaves(expression))
    return SeriesQuery(
        raw.get("id"),
        text,
        expression,
        by,
        scalars,
        histograms,
        start,
        end,
        step,
        tuple(_ranking(name, subject) for name in _names(raw, "order") or DEFAULT_ORDER[subject]),
        _integer(raw, "limit", DEFAULT_LIMIT, low=0, high=MAX_LIMIT),
        _keep(raw, by),
        _flag(raw, "totals"),
        about_vni or _choice(raw, "points", ("primary", "all")) == "all",
        _flag(raw, "plan"),
        _choice(raw, "encoding", ("lists", "packed")) == "packed",
        subject,
    )


_KNOWN = (
    "id", "subject", "filter", "by", "metrics", "from", "to", "step", "order", "limit", "keep", "totals", "points",
    "plan", "encoding",
)  # fmt: skip


def has_filter(query: SeriesQuery) -> bool:
    return not isinstance(query.filter, Everything)


def _about(subject: Subject, expression: Expression, text: str) -> Expression:
    """A filter that the subject can answer."""
    if subject == "points":
        for leaf in leaves(expression):
            if not isinstance(leaf, Vni):
                reason = f"'{leaf}' asks about packets, links know their VNI alone: use 'vni N', or conversations"
                raise FilterRefused(reason, text, leaf.column, leaf.width)
    if subject == "node" and not isinstance(expression, Everything):
        raise QueryError("the node's own counters take no 'filter'; group them by source, thread or reason")
    return expression


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is not None and not isinstance(value, str):
        raise QueryError(f"{name!r} must be a text")
    return value or ""


def _names(raw: Mapping[str, Any], name: str) -> list[str]:
    """A list of words, also as one text with commas."""
    value = raw.get(name)
    if value is None:
        return []
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise QueryError(f"{name!r} must be a list of names")
    return [word.strip() for word in words if word.strip()]


def _integer(raw: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = raw.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(value) if not isinstance(value, bool) and float(value) == int(value) else None
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not low <= number <= high:
        raise QueryError(f"{name!r} must be a whole number of {low} to {high}")
    return number


def _flag(raw: Mapping[str, Any], name: str) -> bool:
    value = raw.get(name)
    if value in (None, False, 0, "", "0", "false"):
        return False
    if value in (True, 1, "1", "true"):
        return True
    raise QueryError(f"{name!r} must be true or false")


def _choice(raw: Mapping[str, Any], name: str, known: tuple[Choice, ...]) -> Choice:
    value = raw.get(name) or known[0]
    if value not in known:
        raise QueryError(f"unknown {name} {value!r}; it must be one of {', '.join(known)}")
    return known[known.index(value)]


def _by(raw: Mapping[str, Any], subject: Subject) -> tuple[str, ...]:
    by, known = list(dict.fromkeys(_names(raw, "by"))), KEYS_OF[subject]
    for key in by:
        if key not in known:
            raise QueryError(f"unknown key {key!r} in 'by'; known for {subject}: {', '.join(known)}")
    if subject == "conversations" and "vni" in by and "is_copy" not in by:
        by.append("is_copy")
    return tuple(by)


def _range(raw: Mapping[str, Any], step: int, whole: Range) -> tuple[int, int]:
    start = _integer(raw, "from", whole.start - whole.start % step, low=0, high=MAX_TIME)
    end = _integer(raw, "to", max(start, whole.end + -whole.end % step), low=0, high=MAX_TIME)
    for name, t in (("from", start), ("to", end)):
        if t % step:
            raise QueryError(f"{name!r} ({t}) must be a multiple of the step ({step}); try {t - t % step}")
    if end < start:
        raise QueryError(f"'to' ({end}) is before 'from' ({start})")
    return start, end


def _bases(names: list[str], subject: Subject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scalar and histogram bases that the named metrics are finished from, each once."""
    metrics, bases = METRICS_OF[subject], BASES_OF[subject]
    wanted: dict[str, None] = {}
    for name in names:
        if name in metrics:
            wanted.update(dict.fromkeys(metrics[name].bases))
        elif name in bases:
            wanted[name] = None
        else:
            raise QueryError(f"unknown metric {name!r} of {subject}; GET metrics lists them")
    chosen = [base for base in bases.values() if base.key in wanted or not names]
    scalars = tuple(base.key for base in chosen if base.kind != "histogram")
    return scalars, tuple(base.key for base in chosen if base.kind == "histogram")


def _ranking(name: str, subject: Subject) -> Ranking:
    metric, bases = METRICS_OF[subject].get(name), BASES_OF[subject]
    terms = dict(metric.terms) if metric and metric.kind in ("counter", "ratio") else {}
    if not terms and name in bases and bases[name].kind == "sum":
        terms = {name: 1}
    if not terms and metric and metric.kind == "histogram":
        terms = {f"{next(iter(metric.terms))}_sum": 1}
    if not terms:
        raise QueryError(f"groups cannot be ordered by {name!r}; name counters such as bytes or failures")
    return Ranking(name, tuple(terms.items()))


def _keep(raw: Mapping[str, Any], by: tuple[str, ...]) -> Ints:
    groups = raw.get("keep") or []
    if groups and by and by[0] in TEXT_KEYS:
        raise QueryError("'keep' is for conversations and links; name a 'limit' that holds all counters of the node")
    if not isinstance(groups, list) or not all(isinstance(group, Mapping) for group in groups):
        raise QueryError("'keep' must be a list of objects with the keys of 'by'")
    rows = [[part for key in by for part in key_numbers(key, group.get(key))] for group in groups]
    return np.array(rows, np.int64).reshape(len(rows), sum(map(key_width, by)))


def key_numbers(key: str, value: Any) -> list[int]:
    """One key of a group as the numbers that it is grouped by."""
    try:
        if key in NET_KEYS and value is not None:
            packed = address.net_from_text(str(value))
        elif key in ADDRESS_KEYS and value is not None:
            packed = address.from_text(str(ip_address(str(value))))
        elif key in NET_KEYS or key in ADDRESS_KEYS:
            packed = bytes(16)
        else:
            return [-1 if value is None else int(value)]
        return [int.from_bytes(packed[start : start + 8], "big", signed=True) for start in (0, 8)]
    except (TypeError, ValueError, OverflowError):
        raise QueryError(f"{value!r} is no {key} (in 'keep')") from None


DEFAULT_RANKING = tuple(_ranking(name, "conversations") for name in DEFAULT_ORDER["conversations"])


__all__ = ["FilterError", "QueryError", "Range", "Ranking", "SeriesQuery", "parse_query"]
