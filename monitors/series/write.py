"""The only writer of pulled samples: rows, what is covered, and what is to be rolled up, in one transaction.

The `covered` set of the locked pull row is the truth. A window that is covered already, or whose lease went to someone
else, is left out, so a doubled or late task changes nothing; rows and `covered` appear or vanish together.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from psycopg2.extras import execute_values

from monitors.fields import from_multirange, to_multirange
from monitors.intervals import Interval, Intervals, intersect, normalized, union
from monitors.labels import resolve
from monitors.models.group import GROUP_KEYS
from monitors.pulls.answer import Answer
from monitors.pulls.plan import Window, merged_revisions
from monitors.series import partitions
from monitors.series.copy import KEY_COLUMNS, Blocks, binary, columns_of
from monitors.series.groups import Values
from monitors.series.tiers import RUN_S, UTC, run_of, table_of, tiers_of

# Rows of the last seconds of a run come a little later than its end: fold once they are there.
ROLLUP_GRACE_S = 15
KNOWN_GROUPS_MAX = 500_000

_known_groups: dict[int, set[int]] = {}


@dataclass(frozen=True)
class Brought:
    """What one pull of one monitor brought from the node. `quiet` is known to be without traffic, `told` are the
    revisions of all hours by the node's status, `settled` need not be pulled again any more."""

    monitor_id: int
    revision: int
    resolution: int
    next_run: float
    answers: tuple[tuple[Window, Answer], ...] = ()
    lost: Intervals = ()
    quiet: Intervals = ()
    probed: Intervals = ()
    settled: Intervals = ()
    took_ms: int = 0
    error: str = ""
    told: dict[str, int] = field(default_factory=dict)


@dataclass
class Written:
    """How many rows were written, and which monitors' windows were left out since someone else had done them."""

    rows: int = 0
    left_out: list[int] = field(default_factory=list)


def prepare(brought: Sequence[Brought]) -> None:
    """Groups and partitions that the rows need, each in a transaction of its own, before the samples'."""
    for one in brought:
        partitions.ensure(one.resolution, {t for _, answer in one.answers for t in set(answer.rows.t.tolist())})
    insert_groups((one.monitor_id, one.revision, answer.rows.groups) for one in brought for _, answer in one.answers)


def store(node_id: int, lease: UUID, brought: Sequence[Brought], now: float) -> Written:
    """Write everything that one batch brought, in one transaction. Call `prepare` first."""
    written = Written()
    with connection.wrap_database_errors, transaction.atomic(), connection.cursor() as cursor:
        # A crash may lose the last commits, rows and covered sets alike: they are pulled again.
        cursor.execute("SET LOCAL synchronous_commit = off")
        held = _lock(cursor, node_id, lease)
        mine = [one for one in brought if one.monitor_id in held]
        written.left_out = [one.monitor_id for one in brought if one.monitor_id not in held]
        fresh = [_without_doubles(one, held[one.monitor_id][0], written) for one in mine]
        for resolution in sorted({one.resolution for one in fresh}):
            same = [one for one in fresh if one.resolution == resolution]
            _delete_replaced(cursor, node_id, resolution, same)
            written.rows += _copy(cursor, node_id, resolution, same)
        _record(cursor, node_id, lease, fresh, held, now)
        observe(cursor, node_id, (pair for one in fresh for _, answer in one.answers for pair in answer.observed))
        enqueue(cursor, (run for one in fresh for run in _dirty(one)), now)
    return written


def insert_groups(found: Iterable[tuple[int, int, dict[int, Values]]]) -> None:
    """Name the groups that this process has not seen yet. Sorted, so that two workers never wait for each other."""
    fresh: dict[tuple[int, int], tuple[int, Values]] = {}
    for monitor_id, revision, groups in found:
        known = _known_groups.setdefault(monitor_id, set())
        fresh |= {(monitor_id, number): (revision, values) for number, values in groups.items() if number not in known}
    if not fresh:
        return
    now = dt.datetime.now(UTC)
    rows = [
        (monitor_id, number, revision, now, *(dict(values).get(key) for key in GROUP_KEYS))
        for (monitor_id, number), (revision, values) in sorted(fresh.items())
    ]
    columns = ", ".join(("monitor_id", "id", "revision", "first_seen", *GROUP_KEYS))
    with connection.wrap_database_errors, transaction.atomic(), connection.cursor() as cursor:
        sql = f"INSERT INTO monitors_group ({columns}) VALUES %s ON CONFLICT DO NOTHING RETURNING monitor_id, id"
        resolve.first_seen(cursor, execute_values(cursor.cursor, sql, rows, page_size=500, fetch=True))
    if sum(map(len, _known_groups.values())) > KNOWN_GROUPS_MAX:
        _known_groups.clear()
    for monitor_id, number in fresh:
        _known_groups.setdefault(monitor_id, set()).add(number)


def enqueue(cursor: Any, runs: Iterable[tuple[int, int, int]], now: float) -> None:
    """Mark runs (monitor, step, run) to be folded. The row is locked even where it stays as it is: a roll-up that has
    taken it then waits for us or we for it, and none of our rows is missed."""
    rows = [
        (*key, dt.datetime.fromtimestamp(max(now, key[2] + RUN_S[key[1]]) + ROLLUP_GRACE_S, UTC))
        for key in sorted(set(runs))
    ]
    if rows:
        sql = (
            "INSERT INTO monitors_rollup (monitor_id, step, run, due) VALUES %s ON CONFLICT (monitor_id, step, run)"
            " DO UPDATE SET due = excluded.due WHERE monitors_rollup.due > excluded.due"
        )
        execute_values(cursor.cursor, sql, rows, page_size=1000)


def observe(cursor: Any, node_id: int, watched: Iterable[Interval]) -> None:
    """Note when a node's sources were all capturing."""
    seen = normalized(watched)
    if seen:
        cursor.execute(
            "INSERT INTO monitors_observed AS o (node_id, observed) VALUES (%s, %s::int8multirange)"
            " ON CONFLICT (node_id) DO UPDATE SET observed = o.observed + excluded.observed"
            " WHERE NOT o.observed @> excluded.observed",
            [node_id, to_multirange(seen)],
        )


def forget() -> None:
    """Drop what this process believes about groups; the database is asked again."""
    _known_groups.clear()


Held = dict[int, tuple[Intervals, dict[str, list[int]]]]


def _lock(cursor: Any, node_id: int, lease: UUID) -> Held:
    cursor.execute(
        "SELECT monitor_id, covered::text, revisions::text FROM monitors_pull"
        " WHERE node_id = %s AND lease = %s ORDER BY monitor_id FOR UPDATE",
        [node_id, lease],
    )
    return {monitor: (from_multirange(covered), json.loads(known)) for monitor, covered, known in cursor.fetchall()}


def _without_doubles(one: Brought, covered: Intervals, written: Written) -> Brought:
    """Leave out windows that touch what is covered; a replaced one must be covered wholly."""
    kept = []
    for window, answer in one.answers:
        overlap = intersect(covered, answer.covered)
        if overlap == (normalized(answer.covered) if window.replace else ()):
            kept.append((window, answer))
            covered = union(covered, answer.covered)
        else:
            written.left_out.append(one.monitor_id)
    return one if len(kept) == len(one.answers) else replace(one, answers=tuple(kept))


def _delete_replaced(cursor: Any, node_id: int, resolution: int, brought: Sequence[Brought]) -> None:
    for one in brought:
        for window, answer in one.answers:
            for start, stop in answer.covered if window.replace else ():
                cursor.execute(
                    f"DELETE FROM {table_of(resolution)} WHERE monitor_id = %s AND node_id = %s"
                    " AND t >= to_timestamp(%s) AND t < to_timestamp(%s)",
                    [one.monitor_id, node_id, start, stop],
                )


def _copy(cursor: Any, node_id: int, resolution: int, brought: Sequence[Brought]) -> int:
    answers = [(one.monitor_id, answer.rows) for one in brought for _, answer in one.answers if len(answer.rows)]
    if not answers:
        return 0
    scalars, histograms = columns_of(rows for _, rows in answers)
    names = ", ".join((*KEY_COLUMNS, *scalars, *histograms))
    cursor.copy_expert(
        f"COPY {table_of(resolution)} ({names}) FROM STDIN WITH (FORMAT binary)",
        Blocks(binary(answers, scalars, histograms, node_id)),
    )
    return sum(len(rows) for _, rows in answers)


def _state(one: Brought, held: Held) -> tuple[Any, ...]:
    """What one pull changes of its row."""
    covered_before, known = held[one.monitor_id]
    pulled = normalized(pair for _, answer in one.answers for pair in answer.covered)
    replaced = normalized(pair for window, answer in one.answers if window.replace for pair in answer.covered)
    told = dict(one.told)
    for _, answer in one.answers:
        told |= {hour: max(n, told.get(hour, 0)) for hour, n in answer.revisions.items()}
    gone = normalized((*one.lost, *(pair for _, answer in one.answers for pair in answer.lost)))
    return (
        one.monitor_id,
        to_multirange(union(pulled, one.quiet)),
        to_multirange(gone),
        json.dumps(merged_revisions(known, told, covered_before, pulled, replaced)),
        to_multirange(one.probed),
        to_multirange(one.settled),
        dt.datetime.fromtimestamp(one.next_run, UTC),
        one.took_ms,
        sum(len(answer.rows) for _, answer in one.answers),
        sum(answer.refused for _, answer in one.answers),
        one.error[:1000],
    )


def _record(cursor: Any, node_id: int, lease: UUID, brought: Sequence[Brought], held: Held, now: float) -> None:
    """Covered, lost, revisions and the next run of every pull of the batch; the lease ends."""
    rows = [_state(one, held) for one in brought]
    sql = """
        UPDATE monitors_pull p SET covered = p.covered + v.covered, lost = p.lost + v.lost - v.covered,
          revisions = v.revisions, probed = p.probed + v.probed, stale = p.stale - v.settled, next_run = v.next_run,
          lease = NULL, lease_until = NULL, error = v.error,
          failures = CASE WHEN v.error = '' THEN 0 ELSE p.failures + 1 END, took_ms = v.took_ms, last_run = v.ran,
          rows = p.rows + v.rows, refused = p.refused + v.refused,
          rows_per_s = v.rows / 60.0
            + p.rows_per_s * exp(-least(extract(epoch FROM v.ran - coalesce(p.last_run, v.ran))::float8, 600) / 60)
        FROM (VALUES %s) v (monitor_id, covered, lost, revisions, probed, settled, next_run, took_ms, rows, refused,
          error, ran, lease, node_id)
        WHERE p.monitor_id = v.monitor_id AND p.node_id = v.node_id AND p.lease = v.lease"""
    template = (
        "(%s, %s::int8multirange, %s::int8multirange, %s::jsonb, %s::int8multirange, %s::int8multirange,"
        f" %s::timestamptz, %s, %s, %s, %s, to_timestamp({now!r}), '{lease}'::uuid, {node_id})"
    )
    if rows:
        execute_values(cursor.cursor, sql, rows, template=template, page_size=1000)


def _dirty(one: Brought) -> set[tuple[int, int, int]]:
    """Runs of every tier above the base in which rows came or went."""
    times: set[int] = set()
    for window, answer in one.answers:
        times.update(answer.rows.t.tolist())
        if window.replace:
            times.update(range(window.start, window.stop, RUN_S[60]))
    steps = tiers_of(one.resolution)[1:]
    return {(one.monitor_id, step, run_of(step, t)) for step in steps for t in times}
