"""Answers questions about series: from files, from memory, ranked and folded, each row once.

`SeriesReader` is the only door: the API keeps one per process, a command one per run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from cstor.store import duck
from cstor.store.decades import Decades
from cstor.store.layout import HOUR_S
from cstor.store.ledger import Interval, without_hour
from cstor.store.live import LiveTail
from cstor.store.memory import MemorySource
from cstor.store.merge import Kept, Merged, choose, merge, merge_totals, totals_of
from cstor.store.partials import Partials
from cstor.store.query import MAX_ROWS, QueryError, Range, SeriesQuery, key_width, parse_query
from cstor.store.series_files import FilesSource
from cstor.store.snapshot import Snapshot, take_snapshot
from cstor.store.table_source import answer_table

ATTEMPTS = 5  # views of the store that are taken anew when files go while they are read


@dataclass(frozen=True)
class Head:
    """What stands over an answer, see DESIGN 4.2. `coarse` are hours that are kept in larger steps than asked: they are
    not in the answer, not observed, and `kept_from` is behind them."""

    complete_until: int
    kept_from: int | None
    observed: list[Interval]
    revisions: dict[int, int]
    floor: dict[str, int]
    coarse: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """Rows by bucket and group; `keys` are those of the groups that `rows.group` numbers."""

    query: SeriesQuery
    head: Head
    keys: np.ndarray
    rows: Merged
    totals: Merged | None
    groups: int  # before folding
    took_ms: float
    words: Sequence[str] = ()  # that texts among the keys are numbers of


class SeriesReader:
    """Reads one store. Threads may share it: DuckDB answers one of them at a time."""

    def __init__(self, root: Path, tail: LiveTail | None = None) -> None:
        self.root = root
        self.tail = tail or LiveTail(root)
        self._decades = Decades()
        self._partials = Partials()
        self._connection = duck.connect()
        self._lock = threading.Lock()

    def close(self) -> None:
        self._connection.close()

    def snapshot(self) -> Snapshot:
        return take_snapshot(self.root, self.tail)

    def answers(self, raws: Sequence[object]) -> Iterator[Answer | Exception]:
        """An answer or what was wrong, for each question in turn; questions that follow one another share a view."""
        snapshot = self.snapshot()
        for raw in raws:
            try:
                query = parse_query(raw, whole_of(snapshot))
                for attempt in range(ATTEMPTS):
                    try:
                        yield self._answer(query, snapshot)
                        break
                    except duckdb.IOException:
                        if attempt == ATTEMPTS - 1:
                            raise
                        snapshot = self.snapshot()
            except (ValueError, duckdb.Error) as error:
                yield error

    def answer(self, raw: object) -> Answer:
        """The answer to one question; QueryError, FilterError."""
        (found,) = self.answers([raw])
        if isinstance(found, Exception):
            raise found
        return found

    def _answer(self, query: SeriesQuery, snapshot: Snapshot) -> Answer:
        began = time.perf_counter()
        if query.subject != "conversations":
            with self._lock:
                table = answer_table(query, snapshot.table(query.subject, query.start, query.end), self._connection)
            rows, head = _checked(merge([table.partial], query.scalars, [])), _head(query, snapshot, table.kept)
            return _answered(query, head, table.kept, (rows, _totals(query, rows)), table.groups, began, table.words)
        found = snapshot.series(query.start, query.end, query.step)
        seconds = self._decades.of(found.seconds, query.step, snapshot.complete_until)
        memory = MemorySource(query, snapshot.directory, seconds, self._partials)
        if found.files:
            with self._lock:
                files = FilesSource(query, found.files, found.latency_files, self._connection)
                kept, rows, groups = self._with_files(query, memory, files)
            totals = _totals(query, rows)
        else:  # questions about the last minutes need no file, and do not wait for those that do
            kept, groups = memory.chosen() if query.by else (None, 1)
            rows, totals = (merge([], (), ()), None) if query.plan else memory.merged(kept)
        head = _head(query, snapshot, kept, found.coarse)
        return _answered(query, head, kept, (_checked(rows), totals), groups, began)

    @staticmethod
    def _with_files(query: SeriesQuery, memory: MemorySource, files: FilesSource) -> tuple[Kept | None, Merged, int]:
        kept, groups = None, 1
        if query.by:
            totals = merge_totals([memory.totals(), files.totals()], sum(map(key_width, query.by)), len(query.order))
            kept, groups = choose(totals, query.limit, query.keep), len(totals.keys)
        partials = [] if query.plan else [memory.partial(kept), files.partial(kept)]
        return kept, merge(partials, query.scalars, query.histograms), groups


def _head(
    query: SeriesQuery, snapshot: Snapshot, kept: Kept | None, coarse: Sequence[tuple[int, int, int]] = ()
) -> Head:
    kept_from, observed = snapshot.kept_from, snapshot.observed_in(query.start, query.end)
    for start, end, _ in coarse:
        kept_from, observed = max(end, kept_from or 0), without_hour(observed, start)
    return Head(
        complete_until(snapshot, query.step),
        kept_from,
        observed,
        snapshot.revisions_in(query.start, query.end),
        {ranking.name: floor for ranking, floor in zip(query.order, kept.floor, strict=True)} if kept else {},
        list(coarse),
    )


def _answered(
    query: SeriesQuery,
    head: Head,
    kept: Kept | None,
    rows: tuple[Merged, Merged | None],
    groups: int,
    began: float,
    words: Sequence[str] = (),
) -> Answer:
    keys = kept.keys if kept else np.zeros((1, 0), np.int64)
    return Answer(query, head, keys, *rows, groups, (time.perf_counter() - began) * 1e3, words)


def _totals(query: SeriesQuery, rows: Merged) -> Merged | None:
    return totals_of(rows, halved="host" in query.by) if query.totals else None


def _checked(rows: Merged) -> Merged:
    if len(rows.t) > MAX_ROWS:
        raise QueryError(f"more than {MAX_ROWS} rows; take a larger 'step', a smaller 'limit' or a shorter range")
    return rows


def complete_until(snapshot: Snapshot, step: int) -> int:
    """Where nothing ever captured, the last bucket is as complete as it will ever be: its end counts.

    Beyond an hour it does not: a later ingest into the same hour raises the hour's revision, into the next one not.
    """
    until = snapshot.complete_until
    return until if snapshot.ledger.is_captured or HOUR_S % step else until + -until % step


def whole_of(snapshot: Snapshot) -> Range:
    """All that the store knows."""
    start = snapshot.kept_from or 0
    return Range(start, max(start, snapshot.complete_until))


def plan_of(answer: Answer) -> dict[str, Any]:
    """Counts only: what an answer would hold."""
    folded = len(answer.keys) < answer.groups
    return {
        "groups": answer.groups,
        "kept": len(answer.keys),
        "rows_per_bucket": len(answer.keys) + int(folded),
        "buckets": (answer.query.end - answer.query.start) // answer.query.step,
        "ms": round(answer.took_ms, 1),
    }
