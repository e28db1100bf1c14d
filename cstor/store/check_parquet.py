"""Verifies Parquet files: footer and version, every value decoded, times within the hour, and sums of one mind.

A timing stands twice in a store: its count in series/, its bins in latency/. Over an hour both must agree.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from cstor.metrics.registry import BASES, HISTOGRAMS
from cstor.store import duck
from cstor.store.finding import Finding
from cstor.store.layout import FORMAT_VERSION, HOUR_S, SECOND_NS, Part, hour_folder
from cstor.store.snapshot import current_parts, parts_in

REPAIR = "move it out of the store; its rows are lost unless the packets are there to be ingested again"
VERSION_REMEDY = "update this program"
ATTEMPTS = 6
PATIENCE_S = 0.5


@dataclass
class PartFindings:
    """Rows of a part, and what is wrong with it."""

    rows: int = 0
    findings: list[Finding] = field(default_factory=list)


class PartChecker:
    """Holds the connection that all parts are read with."""

    def __init__(self) -> None:
        self._connection = duck.connect()

    def check(self, part: Part) -> PartFindings:
        """FileNotFoundError when it was merged or removed meanwhile."""
        try:
            return self._check(part)
        except duckdb.Error as error:
            if not part.path.exists():
                raise FileNotFoundError(part.path) from None
            return PartFindings(0, [Finding(f"cannot be read ({str(error).splitlines()[0]})", REPAIR)])

    def check_hour(self, root: Path, hour: int) -> tuple[str, str] | None:
        """Whether the timings of an hour are the same by count and by bin; what is wrong, and what to do."""
        wrong = None
        for attempt in range(ATTEMPTS):
            before = self._timed_parts(root, hour)
            try:
                wrong = self._wrong_counts(*before)
            except duckdb.Error:
                wrong = None  # said of the file itself, or it is gone
            if wrong is None or (attempt and before == self._timed_parts(root, hour)):
                break
            time.sleep(PATIENCE_S)  # latency is renamed before series: looked at in between they differ
        return (wrong, "the hour's timings or counts are incomplete; ingest its packets again") if wrong else None

    @staticmethod
    def _timed_parts(root: Path, hour: int) -> tuple[list[Part], list[Part]]:
        both = [parts_in(hour_folder(root, dataset, hour), dataset, hour) for dataset in ("series", "latency")]
        series, latency = (current_parts(parts) for parts in both)
        newest = max((part.sequence for part in series), default=-1)
        return series, [part for part in latency if part.sequence <= newest]

    def _check(self, part: Part) -> PartFindings:
        name = duck.quoted(str(part.path))
        query = f"SELECT decode(key), decode(value) FROM parquet_kv_metadata({name})"
        told = dict(self._connection.execute(query).fetchall())
        if told.get("cclear_dataset") != part.dataset:
            return PartFindings(0, [Finding(f"is no file of {part.dataset}/ by its metadata", REPAIR)])
        if not told.get("cclear_format", "").isdigit() or int(told["cclear_format"]) > FORMAT_VERSION:
            return PartFindings(0, [Finding(f"format {told.get('cclear_format')} is not known", VERSION_REMEDY)])
        columns = [str(row[0]) for row in self._connection.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()]
        (rows,) = self._row(f"SELECT num_rows FROM parquet_file_metadata({name})")
        # Hashing takes every value apart: a count alone would be answered from the footer.
        hashes = ", ".join(f'bit_xor(hash("{column}"))' for column in columns)
        (counted, *_) = self._row(f"SELECT count(*), {hashes} FROM {name}")
        found = [] if counted == rows else [f"has {counted} rows, its footer says {rows}"]
        found += self._wrong_times(part, name) + self._wrong_values(part, name, columns)
        if int(told.get("cclear_step", 1)) != part.step and part.level > 1:
            found.append(f"says that a row covers {told.get('cclear_step')} s, its name {part.step} s")
        return PartFindings(rows, [Finding(what, REPAIR) for what in found])

    def _wrong_times(self, part: Part, name: str) -> list[str]:
        t = f"end_ns // {SECOND_NS}" if part.dataset == "sessions" else "t"
        first, last = self._row(f"SELECT min({t}), max({t}) FROM {name}")
        if first is None:
            return ["has no rows"]
        found = []
        if not part.hour <= first <= last < part.hour + HOUR_S:
            found.append("has rows of another hour")
        if part.dataset == "sessions":
            (oldest, backwards, rows, ids) = self._row(
                f"SELECT min(start_ns) // {SECOND_NS}, count(*) FILTER (end_ns < start_ns), count(*), "
                f"count(DISTINCT id) FROM {name}"
            )
            first = oldest
            found += [f"has {backwards} sessions that end before they start"] if backwards else []
            found += [f"has {rows - ids} sessions twice"] if rows != ids else []
        if not part.start <= first <= last < part.end:
            found.append(f"has rows of {first} to {last}, outside the times in its name")
        if part.step > 1:
            (odd,) = self._row(f"SELECT count(*) FROM {name} WHERE t % {part.step} != 0")
            found += [f"has {odd} rows that do not begin at a multiple of {part.step} s"] if odd else []
        return found

    def _wrong_values(self, part: Part, name: str, columns: list[str]) -> list[str]:
        tests = {}
        if part.dataset in ("series", "sessions"):
            for base in HISTOGRAMS:
                low, high, total, count = (f'"{base.key}_{word}"' for word in ("min", "max", "sum", "count"))
                if {f"{base.key}_{word}" for word in ("min", "max", "sum", "count")} <= set(columns):
                    average = f"coalesce({total}, 0) NOT BETWEEN {low}::HUGEINT * {count} AND {high}::HUGEINT * {count}"
                    tests[f"{base.key} with a mean outside its extremes"] = (
                        f"{count} > 0 AND ({low} > {high} OR {average})"
                    )
            for key in columns:
                if key in BASES and BASES[key].kind == "sum":
                    tests[f"a negative {key}"] = f'"{key}" < 0'
        elif part.dataset == "latency":
            tests["a bin without samples"] = "n <= 0"
        if not tests:
            return []
        counts = self._row(f"SELECT {', '.join(f'count(*) FILTER ({test})' for test in tests.values())} FROM {name}")
        return [f"has {count} rows with {what}" for what, count in zip(tests, counts, strict=True) if count]

    def _wrong_counts(self, series: list[Part], latency: list[Part]) -> str | None:
        counted = dict.fromkeys((base.key for base in HISTOGRAMS), 0)
        if series:
            source = _source(series)
            columns = {str(row[0]) for row in self._connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
            present = [key for key in counted if f"{key}_count" in columns]
            if present:
                sums = ", ".join(f'coalesce(sum("{key}_count"), 0)::BIGINT' for key in present)
                counted |= dict(zip(present, self._row(f"SELECT {sums} FROM {source}"), strict=True))
        binned = dict.fromkeys(counted, 0)
        if latency:
            query = f"SELECT metric, sum(n)::BIGINT FROM {_source(latency)} GROUP BY metric"
            binned |= {key: n for key, n in self._connection.execute(query).fetchall() if key in binned}
        wrong = [
            f"{key} {counted[key]} times by count, {binned[key]} by bins"
            for key in counted
            if counted[key] != binned[key]
        ]
        return f"has {'; '.join(wrong)}" if wrong else None

    def _row(self, query: str) -> tuple:
        found = self._connection.execute(query).fetchone()
        assert found is not None
        return found


def _source(parts: list[Part]) -> str:
    names = ", ".join(duck.quoted(str(part.path)) for part in parts)
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"
