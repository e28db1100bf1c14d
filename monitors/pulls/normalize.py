"""One answer of a node -> rows for the samples table, checked against the registry. Pure; a bad answer is a BadAnswer.

The answer is one line of `POST series` (DESIGN 4.2): a head and columns `t`, the keys, `is_other`, `is_total`, and the
bases. A column that is absent is all null. Histogram columns are packed: lengths, and base64 of uint32 pairs. Where the
client read a frame, columns of integers are arrays already and histograms Cells: both are checked alike.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

import numpy as np

from cstor.metrics.columns import column_of
from cstor.metrics.histogram import PAIR, Cells
from cstor.metrics.metric import SUBJECTS, Base, Subject
from cstor.metrics.registry import BASES_OF
from monitors.intervals import Intervals, clip, normalized
from monitors.pulls.answer import ABSENT, Answer, BadAnswer, Ints, Mask, Rows
from monitors.pulls.plan import FUTURE_S, Probe, Window
from monitors.series.groups import KeyValue, Values, group_id
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP

MAX_INT8 = 2**63 - 1
MAX_NAME = 200
# A window has 360 buckets at most: so many rows are five thousand groups in each.
MAX_ROWS = 2_000_000


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
    columns = _columns(answer)
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
    return _times(_columns(answer).get("t")).tolist()


def _columns(answer: dict[str, Any]) -> dict[str, Any]:
    columns = answer.get("columns", answer)
    if not isinstance(columns, dict):
        raise BadAnswer("columns are missing")
    return columns


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


def _times(column: Any) -> Ints:
    if not isinstance(column, list | np.ndarray):
        raise BadAnswer("column t is missing or not of whole seconds")
    if len(column) > MAX_ROWS:
        raise BadAnswer(f"an answer has more than {MAX_ROWS:,} rows")
    if isinstance(column, np.ndarray):
        return column
    try:
        t = _packed(column)
    except struct.error:
        raise BadAnswer("column t is missing or not of whole seconds") from None
    return t


def _packed(values: list[Any]) -> Ints:
    """Integers as an array. struct takes nothing else for one, and is twice as quick as NumPy with a list."""
    return np.frombuffer(struct.pack(f"{len(values)}q", *values), dtype=np.int64)


def _kept(t: Ints, window: Window, step: int, complete: tuple[int, int], now: float) -> tuple[Mask | None, int]:
    """Which rows to keep (None: all) and how many are dated after tomorrow."""
    if not len(t):
        return None, 0
    tomorrow = int(now) + FUTURE_S
    low, high = int(t.min()), int(t.max())
    if (t % step).any():
        raise BadAnswer(f"a time is no multiple of the step of {step} s")
    if low < window.start or (high >= window.stop and high <= tomorrow):
        raise BadAnswer("a row lies outside the window that was asked for")
    if low >= complete[0] and high < complete[1]:
        return None, 0
    return (t >= complete[0]) & (t < complete[1]), int((t > tomorrow).sum())


def _groups(columns: dict[str, Any], by: list[str], n: int, revision: int) -> tuple[dict[int, Values], list[int]]:
    """Every row's group number, and what each group is about."""
    if not by:
        return {}, [TOTAL_GROUP] * n
    kept = (*by, "is_copy") if "vni" in by and "is_copy" not in by else tuple(by)
    values = [_column(columns, key, n) for key in kept]
    other, total = (_column(columns, key, n, required=False) for key in ("is_other", "is_total"))
    groups: dict[int, Values] = {}
    ids: list[int] = []
    for is_other, is_total, row in zip(other, total, zip(*values, strict=True), strict=True):
        if is_total or is_other:
            ids.append(TOTAL_GROUP if is_total else OTHER_GROUP)
            continue
        try:
            number, groups[number] = _named(revision, kept, row)
        except TypeError:
            raise BadAnswer(f"the keys {list(row)!r:.60} cannot be") from None
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
    t: Ints,
    ids: list[int],
    groups: dict[int, Values],
    keep: Mask | None,
    subject: Subject,
) -> Rows:
    n = len(t)
    if len(set(zip(t.tolist(), ids, strict=True))) < n:
        raise BadAnswer("the same group and time came twice")
    found = {column: columns[key] for key, column in _SCALARS[subject].items() if columns.get(key) is not None}
    histograms = {
        column: _histogram(columns[key], key, n)
        for key, column in _HISTOGRAMS[subject].items()
        if columns.get(key) is not None
    }
    rows = Rows(t, np.array(ids, dtype=np.int64), _scalars(found, n), histograms, groups)
    return rows if keep is None else rows.only(keep)


def _scalars(found: dict[str, Any], n: int) -> dict[str, Ints]:
    """All scalar columns as rows of one array."""
    for name, column in found.items():
        if not isinstance(column, list | np.ndarray) or len(column) != n:
            raise BadAnswer(f"column {name} has not as many values as column t")
    if all(isinstance(column, np.ndarray) for column in found.values()):
        matrix = np.array([*found.values()], np.int64).reshape(len(found), n)
    else:
        cells = [ABSENT if value is None else value for column in found.values() for value in column]
        try:
            matrix = _packed(cells).reshape(len(found), n)
        except struct.error:
            raise _not_integers(found) from None
    is_wrong = ((matrix < 0) & (matrix != ABSENT)).any(axis=1)
    if is_wrong.any():
        raise BadAnswer(f"column {list(found)[is_wrong.argmax()]} has a value below 0")
    return dict(zip(found, matrix, strict=True))


def _not_integers(found: dict[str, Any]) -> BadAnswer:
    """Which column it was."""
    for name, column in found.items():
        if not all(value is None or isinstance(value, int) for value in column):
            return BadAnswer(f"column {name} has values that are no integers")
        if not all(value is None or abs(value) <= MAX_INT8 for value in column):
            return BadAnswer(f"column {name} has a value beyond 64 bits")
    return BadAnswer("a column has values that are no integers")


def _histogram(column: Any, name: str, n: int) -> Cells:
    if isinstance(column, Cells):
        if len(column.lengths) != n:
            raise BadAnswer(f"histogram {name} has not as many lengths as column t has values")
        return column
    try:
        lengths, pairs = column["lengths"], base64.b64decode(column["pairs"], validate=True)
    except (TypeError, LookupError, ValueError, binascii.Error):
        raise BadAnswer(f"histogram {name} is not packed as lengths and pairs") from None
    try:
        sizes = _packed(lengths)
    except (TypeError, struct.error):
        sizes = None
    if sizes is None or len(sizes) != n:
        raise BadAnswer(f"histogram {name} has not as many lengths as column t has values")
    # One by one as well: a sum may wrap.
    if (sizes < 0).any() or (sizes > len(pairs)).any() or int(sizes.sum()) * PAIR.itemsize != len(pairs):
        raise BadAnswer(f"histogram {name} has not as many pairs as its lengths say")
    return Cells(sizes, np.frombuffer(pairs, dtype=PAIR))
