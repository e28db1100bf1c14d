"""One answer of a node -> rows for the samples table, checked against the registry. Pure; a bad answer is a BadAnswer.

The answer is one line of `POST series` (DESIGN 4.2): a head and columns `t`, the keys, `is_other`, `is_total`, and the
bases. A column that is absent is all null. Histogram columns are packed: lengths, and base64 of uint32 pairs.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from cstor.metrics.columns import column_of
from cstor.metrics.metric import SUBJECTS, Base, Subject
from cstor.metrics.registry import BASES_OF
from monitors.intervals import Intervals, clip, normalized
from monitors.pulls.answer import PAIR_BYTES, Answer, BadAnswer, Histogram, Rows
from monitors.pulls.plan import FUTURE_S, Probe, Window
from monitors.series.groups import KeyValue, Values, group_id
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP

MAX_INT8 = 2**63 - 1
MAX_NAME = 200


def _names(subject: Subject, is_wanted: Callable[[Base], bool]) -> dict[str, str]:
    """What the node calls a base -> the column that it is kept in."""
    return {base.key: column_of(subject, base.key) for base in BASES_OF[subject].values() if is_wanted(base)}


_SCALARS = {subject: _names(subject, lambda base: base.kind != "histogram") for subject in SUBJECTS}
_HISTOGRAMS = {subject: _names(subject, lambda base: base.kind == "histogram") for subject in SUBJECTS}

NAMED = ("source", "thread", "reason")
_INTEGER_RANGES = {"server_port": 65_535, "protocol": 255, "vni": 2**24 - 1, "vlan": 4095}


def normalize(
    answer: dict[str, Any],
    window: Window,
    step: int,
    by: list[str],
    revision: int,
    now: float,
    subject: Subject = "conversations",
) -> Answer:
    """Check and convert one answer to a query by these keys; without keys its rows are the total."""
    head = _Head(answer)
    if head.step != step:
        raise BadAnswer(f"answered in steps of {head.step} s, asked were {step} s")
    stop = min(window.stop, head.complete_until // step * step)
    # The bucket in which the node's data begins is pulled as it is.
    kept_from = window.start if head.kept_from is None else head.kept_from // step * step
    start = min(window.stop, max(window.start, kept_from))
    columns = answer.get("columns", answer)
    t = _times(columns.get("t"))
    groups, ids = _groups(columns, by, len(t), revision)
    keep, refused = _kept(t, window, step, (start, stop), now)
    rows = _rows(columns, t, ids, groups, keep, subject)
    covered = ((start, stop),) if start < stop else ()
    return Answer(
        rows,
        covered,
        lost=normalized([(window.start, start)]),
        observed=covered if head.observed is None else clip(head.observed, start, stop),
        revisions=head.revisions,
        complete_until=head.complete_until,
        refused=refused,
    )


def busy_times(answer: dict[str, Any], probe: Probe) -> list[int]:
    """Times of the buckets in which a probe found traffic."""
    head = _Head(answer)
    if head.complete_until < probe.stop:
        raise BadAnswer("the node is not complete over a stretch of its past")
    return _times(answer.get("columns", answer).get("t"))


class _Head:
    """What an answer says before its columns."""

    def __init__(self, answer: dict[str, Any]) -> None:
        problem = answer.get("error")
        if problem:
            detail = problem.get("detail") or problem.get("title") if isinstance(problem, dict) else problem
            raise BadAnswer(f"the node refused: {detail}")
        self.step = _number(answer, "step", int)
        self.complete_until = int(_number(answer, "complete_until"))
        self.kept_from = None if answer.get("kept_from") is None else int(_number(answer, "kept_from"))
        # A node that does not say when it was watching is taken to have watched all it answers for.
        self.observed = told_intervals(answer["observed"] or []) if "observed" in answer else None
        self.revisions = told_revisions(answer.get("revisions"))


def _number(answer: dict[str, Any], name: str, kinds: Any = (int, float)) -> Any:
    value = answer.get(name)
    if not isinstance(value, kinds) or isinstance(value, bool) or not -1e12 < value < 1e12:
        raise BadAnswer(f"{name} is {value!r:.40}, not a number")
    return value


def told_intervals(pairs: Any) -> Intervals:
    """Whole seconds inside [[from, to], ...]."""
    try:
        return normalized(
            (math.ceil(start), math.floor(stop)) for start, stop in ((float(a), float(b)) for a, b in pairs)
        )
    except (TypeError, ValueError, OverflowError):
        raise BadAnswer("observed is not a list of [from, to]") from None


def told_revisions(told: Any) -> dict[str, int]:
    """{hour: revision}; nothing told is no revision."""
    try:
        return {str(int(hour)): int(n) for hour, n in (told or {}).items()}
    except (TypeError, ValueError, AttributeError):
        raise BadAnswer("revisions is not a map of hour to number") from None


def _times(column: Any) -> list[int]:
    if not isinstance(column, list) or not set(map(type, column)) <= {int}:
        raise BadAnswer("column t is missing or not of whole seconds")
    return column


def _kept(
    t: list[int], window: Window, step: int, complete: tuple[int, int], now: float
) -> tuple[list[int] | None, int]:
    """Numbers of the rows to keep (None: all) and how many are dated after tomorrow."""
    if not t:
        return None, 0
    tomorrow = int(now) + FUTURE_S
    low, high = min(t), max(t)
    if any(second % step for second in set(t)):
        raise BadAnswer(f"a time is no multiple of the step of {step} s")
    if low < window.start or (high >= window.stop and high <= tomorrow):
        raise BadAnswer("a row lies outside the window that was asked for")
    if low >= complete[0] and high < complete[1]:
        return None, 0
    refused = sum(second > tomorrow for second in t)
    return [number for number, second in enumerate(t) if complete[0] <= second < complete[1]], refused


def _groups(columns: dict[str, Any], by: list[str], n: int, revision: int) -> tuple[dict[int, Values], list[int]]:
    """Every row's group number, and what each group is about."""
    if not by:
        return {}, [TOTAL_GROUP] * n
    kept = (*by, "is_copy") if "vni" in by and "is_copy" not in by else tuple(by)
    values = [_column(columns, key, n) for key in kept]
    other, total = (_column(columns, key, n, required=False) for key in ("is_other", "is_total"))
    groups: dict[int, Values] = {}
    ids: list[int] = []
    for is_other, is_total, *row in zip(other, total, *values, strict=True):
        if is_total or is_other:
            ids.append(TOTAL_GROUP if is_total else OTHER_GROUP)
            continue
        try:
            number, named = _named(revision, kept, tuple(row))
        except TypeError:
            raise BadAnswer(f"the keys {row!r:.60} cannot be") from None
        groups[number] = named
        ids.append(number)
    return groups, ids


# The same groups come in every answer: checking an address costs more than all else about a row.
@lru_cache(maxsize=200_000)
def _named(revision: int, kept: tuple[str, ...], row: tuple[Any, ...]) -> tuple[int, Values]:
    """A group's number and its keys in canonical form."""
    named = tuple((name, _value(name, value)) for name, value in zip(kept, row, strict=True))
    return group_id(revision, named), named


def _column(columns: dict[str, Any], name: str, n: int, required: bool = True) -> Any:
    column = columns.get(name)
    if column is None:
        if required and name != "is_copy":
            raise BadAnswer(f"column {name} is missing")
        return [None] * n
    if not isinstance(column, list) or len(column) != n:
        raise BadAnswer(f"column {name} has not as many values as column t")
    return column


def _value(name: str, value: Any) -> KeyValue:
    """A key's value in the form that the database and the group's number use."""
    if value is None:
        return None
    try:
        if name in ("client_ip", "server_ip", "host"):
            return _address(str(value))
        if name in ("client_net", "server_net"):
            return str(ip_network(str(value)))
    except ValueError:
        raise BadAnswer(f"{name} {value!r:.60} is no address") from None
    if name == "is_copy" and value in (0, 1):
        return bool(value)
    if name in NAMED and isinstance(value, str) and len(value) <= MAX_NAME and "\0" not in value:
        return value
    limit = _INTEGER_RANGES.get(name)
    if limit is None or not isinstance(value, int) or not 0 <= value <= limit:
        raise BadAnswer(f"{name} {value!r:.60} cannot be")
    return value


@lru_cache(maxsize=100_000)
def _address(text: str) -> str:
    return str(ip_address(text))


def _rows(
    columns: dict[str, Any],
    t: list[int],
    ids: list[int],
    groups: dict[int, Values],
    keep: list[int] | None,
    subject: Subject,
) -> Rows:
    scalars = {
        column: _integers(columns[key], key, len(t))
        for key, column in _SCALARS[subject].items()
        if columns.get(key) is not None
    }
    histograms = {
        column: _histogram(columns[key], key, len(t))
        for key, column in _HISTOGRAMS[subject].items()
        if columns.get(key) is not None
    }
    if len(set(zip(t, ids, strict=True))) < len(t):
        raise BadAnswer("the same group and time came twice")
    rows = Rows(t, ids, scalars, histograms, groups)
    return rows if keep is None else rows.only(keep)


def _integers(column: Any, name: str, n: int) -> list[int | None]:
    if not isinstance(column, list) or len(column) != n:
        raise BadAnswer(f"column {name} has not as many values as column t")
    if not set(map(type, column)) <= {int, type(None)}:
        raise BadAnswer(f"column {name} has values that are no integers")
    present = [value for value in column if value]
    if present and not (min(present) >= 0 and max(present) <= MAX_INT8):
        raise BadAnswer(f"column {name} has a value below 0 or beyond 64 bits")
    return column


def _histogram(column: Any, name: str, n: int) -> Histogram:
    try:
        lengths, pairs = column["lengths"], base64.b64decode(column["pairs"], validate=True)
    except (TypeError, KeyError, ValueError, binascii.Error):
        raise BadAnswer(f"histogram {name} is not packed as lengths and pairs") from None
    if not isinstance(lengths, list) or len(lengths) != n or not set(map(type, lengths)) <= {int}:
        raise BadAnswer(f"histogram {name} has not as many lengths as column t has values")
    if (n and min(lengths) < 0) or sum(lengths) * PAIR_BYTES != len(pairs):
        raise BadAnswer(f"histogram {name} has not as many pairs as its lengths say")
    return Histogram(lengths, pairs)
