"""A question about series: what the API and the command line ask, checked and made exact. Pure, no I/O.

id        anything, handed back                       subject  conversations (points, node: not yet served)
filter    text of the filter language                 by       keys to group by, [] for one row per bucket
metrics   metric or base keys; all bases if left out  from, to, step   epoch seconds; multiples of the step
order     metrics or sums to rank groups by           limit    groups kept for each of them
keep      groups to keep whatever their rank          totals   add a row per bucket over all groups
points    primary (no copies) | all                   plan     answer counts only
encoding  lists | packed (histograms)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, NamedTuple

import numpy as np

from cstor.metrics.registry import BASES, HISTOGRAMS, METRICS, SCALARS
from cstor.store import address
from cstor.store.grouping import Ints
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
ADDRESS_KEYS = ("client_ip", "server_ip", "host")
NET_KEYS = ("client_net", "server_net")
SUBJECTS = ("conversations", "points", "node")
DEFAULT_ORDER = ("bytes", "failures", "retransmissions")
DEFAULT_LIMIT = 100
MAX_LIMIT = 50_000
MAX_ROWS = 2_000_000  # of an answer
MAX_TIME = 1 << 40


class QueryError(ValueError):
    """A question that cannot be understood; the text says what is wrong and what to do."""


class NotServed(QueryError):
    """A question that is right, and not yet answered by this version."""


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
    subject = raw.get("subject") or "conversations"
    if subject not in SUBJECTS:
        raise QueryError(f"unknown subject {subject!r}; known: {', '.join(SUBJECTS)}")
    if subject != "conversations":
        raise NotServed(f"subject {subject!r} is not yet served by this version; ask for 'conversations'")
    text = _text(raw, "filter")
    expression = parse(text)
    by = _by(raw)
    step = _integer(raw, "step", 1, low=1, high=MAX_TIME)
    start, end = _range(raw, step, whole)
    scalars, histograms = _bases(_names(raw, "metrics"))
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
        tuple(_ranking(name) for name in _names(raw, "order") or DEFAULT_ORDER),
        _integer(raw, "limit", DEFAULT_LIMIT, low=0, high=MAX_LIMIT),
        _keep(raw, by),
        _flag(raw, "totals"),
        about_vni or _choice(raw, "points", ("primary", "all")) == "all",
        _flag(raw, "plan"),
        _choice(raw, "encoding", ("lists", "packed")) == "packed",
    )


_KNOWN = (
    "id", "subject", "filter", "by", "metrics", "from", "to", "step", "order", "limit", "keep", "totals", "points",
    "plan", "encoding",
)  # fmt: skip


def has_filter(query: SeriesQuery) -> bool:
    return not isinstance(query.filter, Everything)


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


def _choice(raw: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = raw.get(name) or known[0]
    if value not in known:
        raise QueryError(f"{name!r} must be one of {', '.join(known)}")
    return str(value)


def _by(raw: Mapping[str, Any]) -> tuple[str, ...]:
    by = list(dict.fromkeys(_names(raw, "by")))
    for key in by:
        if key not in KEYS:
            raise QueryError(f"unknown key {key!r} in 'by'; known: {', '.join(KEYS)}")
    if "vni" in by and "is_copy" not in by:
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


def _bases(names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scalar and histogram bases that the named metrics are finished from, each once."""
    wanted: dict[str, None] = {}
    for name in names:
        if name in METRICS:
            wanted.update(dict.fromkeys(METRICS[name].bases))
        elif name in BASES:
            wanted[name] = None
        else:
            raise QueryError(f"unknown metric {name!r}; GET metrics lists them")
    if not names:
        wanted = dict.fromkeys(BASES)
    scalars = tuple(base.key for base in SCALARS if base.key in wanted)
    return scalars, tuple(base.key for base in HISTOGRAMS if base.key in wanted)


def _ranking(name: str) -> Ranking:
    metric = METRICS.get(name)
    terms = dict(metric.terms) if metric and metric.kind in ("counter", "ratio") else {}
    if not terms and name in BASES and BASES[name].kind == "sum":
        terms = {name: 1}
    if not terms and metric and metric.kind == "histogram":
        terms = {f"{next(iter(metric.terms))}_sum": 1}
    if not terms:
        raise QueryError(f"groups cannot be ordered by {name!r}; name counters such as bytes or failures")
    return Ranking(name, tuple(terms.items()))


def _keep(raw: Mapping[str, Any], by: tuple[str, ...]) -> Ints:
    groups = raw.get("keep") or []
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


__all__ = ["FilterError", "NotServed", "QueryError", "Range", "Ranking", "SeriesQuery", "parse_query"]
