"""The three things that bench.samples measures; imported once Django is set up."""

from __future__ import annotations

import os
import resource
import subprocess
import time
import uuid
from pathlib import Path

import orjson
from django.db import connection

from bench.samples import MONITORS, Run
from bench.samples_answers import BY, STEP
from bench.series import cpu_s
from cclear.services.postgres import binary
from monitors.models import Monitor, Node, Pull
from monitors.nodes.frame import Stream, opened
from monitors.pulls.normalize import normalize
from monitors.pulls.plan import Window
from monitors.series import partitions, write
from monitors.series.rollup import roll_up
from monitors.series.tiers import RUN_S
from monitors.series.write import Brought

DAY_S = 86_400
FOLD_S = 600
FOLDED_MONITORS = 24


class Writing:
    """A node, its monitors, and the answers that all of them get: one frame for each of a batch."""

    def __init__(self, backend: int, answers: list[tuple[int, bytes]], file: Path) -> None:
        self._backend, self._answers, self._file = backend, answers, file
        self._node = Node.objects.create(name="bench", url="http://127.0.0.1:1")
        # Groups are numbered per monitor, addresses checked once: as in a worker that has been running.
        self._monitors = [Monitor.objects.create(name=f"bench {n}", resolution=STEP) for n in range(MONITORS)]
        self._columns = ""
        for t, frame in answers[:1]:
            self._batch(t, frame)
        partitions.ensure(STEP, [t for t, _ in answers])

    def pull(self) -> Run:
        """Everything between the answer's bytes and the end of the transaction, one batch after the other."""
        self._empty()
        begun = self._clock()
        rows = sum(self._write(t, frame) for t, frame in self._answers)
        return self._since(begun, rows)

    def _write(self, t: int, frame: bytes) -> int:
        brought = self._batch(t, frame)
        write.prepare(brought)
        return write.store(self._node.pk, self._lease(), brought, t + STEP).rows

    def parse(self) -> Run:
        """The first part of that, by itself."""
        begun = self._clock()
        rows = sum(len(a.rows) for t, frame in self._answers for one in self._batch(t, frame) for _, a in one.answers)
        return self._since(begun, rows)

    def copy_by_psql(self, url: str) -> Run:
        """The rows that are there, copied out, then in again by psql into the emptied table."""
        table, names = f"samples_{STEP}", self._given_columns()
        with connection.cursor() as cursor, self._file.open("wb") as out:
            cursor.execute(f"SELECT count(*) FROM {table}")
            (rows,) = cursor.fetchone()
            # As they lie there, so that both ways write them in one order.
            cursor.copy_expert(f"COPY (SELECT {names} FROM {table} ORDER BY tableoid, ctid) TO STDOUT", out)
        self._empty()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = subprocess.run(
            [
                *(str(binary("psql")), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url),
                *("-c", f"\\copy {table} ({names}) FROM '{self._file}'"),
                *("-c", "SELECT pg_read_file('/proc/self/stat')"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        fields = done.stdout.rpartition(")")[2].split()
        server = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(rows, wall, client, server)

    def roll_up(self) -> Run:
        """Ten minutes of some monitors into every tier above: the rows of one recorded bucket, again and again."""
        start, table = self._answers[0][0], f"samples_{STEP}"
        names, last = self._given_columns(), self._monitors[FOLDED_MONITORS - 1].pk
        with connection.cursor() as cursor:
            taken = ", ".join("t + make_interval(secs => k)" if name == "t" else name for name in names.split(", "))
            cursor.execute(
                f"CREATE TEMP TABLE few AS SELECT {names} FROM {table} WHERE monitor_id <= %s AND t = to_timestamp(%s)",
                [last, start],
            )
            self._empty()
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {taken} FROM few, generate_series(0, %s, %s) k"
                " ORDER BY k, monitor_id, group_id",
                [FOLD_S - STEP, STEP],
            )
            rows = cursor.rowcount
            cursor.execute(
                "INSERT INTO monitors_rollup SELECT id, step, %s / run * run, to_timestamp(0) FROM monitors_monitor,"
                " unnest(%s::int[], %s::bigint[]) runs (step, run) WHERE id <= %s",
                [start, list(RUN_S), list(RUN_S.values()), last],
            )
            cursor.execute(f"VACUUM ANALYZE {table}")
        begun = self._clock()
        roll_up(start + 3 * DAY_S)
        found = self._since(begun, rows)
        self._check(rows)
        return found

    def _check(self, rows: int) -> None:
        """The tiers hold what the base does: else no speed counts."""
        with connection.cursor() as cursor:
            sums = []
            for step in (STEP, *RUN_S):
                cursor.execute(f"SELECT sum(bytes_client + bytes_server) FROM samples_{step} WHERE group_id = 0")
                sums.append(cursor.fetchone()[0])
        if len(set(sums)) > 1:
            raise SystemExit(f"the tiers differ: {sums} bytes of {rows} rows")

    def _batch(self, t: int, frame: bytes) -> list[Brought]:
        window, found = Window(t, t + STEP), []
        for monitor in self._monitors:
            stream = Stream(iter([frame]), len(frame))
            told = opened(orjson.loads(stream.line() or b""), stream)
            assert told is not None
            answer = normalize(told, window, STEP, BY, 1, t + STEP)
            found.append(Brought(monitor.pk, 1, STEP, t + 2 * STEP, ((window, answer),)))
        return found

    def _lease(self) -> uuid.UUID:
        """As the claim does it: part of what writing costs."""
        lease = uuid.uuid4()
        Pull.objects.update(lease=lease)
        return lease

    def _given_columns(self) -> str:
        """The columns that have any values: psql need not write the others either."""
        if not self._columns:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
                    [f"samples_{STEP}"],
                )
                names = [name for (name,) in cursor.fetchall()]
                cursor.execute(f"SELECT {', '.join(f'count({name})' for name in names)} FROM samples_{STEP}")
                self._columns = ", ".join(name for name, n in zip(names, cursor.fetchone(), strict=True) if n)
        return self._columns

    def _empty(self) -> None:
        """No rows, no state of pulls, nothing left to be written by the server from before."""
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE samples_{STEP}, monitors_rollup, monitors_observed, monitors_pull")
            cursor.execute("CHECKPOINT")
        Pull.objects.bulk_create(
            [Pull(monitor=monitor, node=self._node, next_run="2000-01-01T00:00Z") for monitor in self._monitors]
        )

    def _clock(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), cpu_s(self._backend)

    def _since(self, begun: tuple[float, float, float], rows: int) -> Run:
        wall, client, server = (now - then for now, then in zip(self._clock(), begun, strict=True))
        return Run(rows, wall, client, server)
