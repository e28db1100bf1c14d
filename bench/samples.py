"""Writing samples beside a plain COPY, and rolling them up: `python -m bench.samples [--quick]`.

A PostgreSQL of its own, as `python -m cclear.services` starts it, in a folder for temporary files. Answers of a real
node go the way that pulled ones go: parsed, checked, written with everything that a pull records, 64 monitors in a
transaction. Then psql copies the very same rows from a file into the same table, emptied before. The two by turns;
what counts is the median of each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.samples_answers import BY, answers, read, recorded
from bench.table import table, verdict

HEAD = ("what", "rows/s", "wall s", "client CPU s", "server CPU s", "rows/s per CPU s", "target")
MONITORS = 64  # of one batch: what one transaction serves
HALF, FOLDED = 0.5, 50_000
START = 1_760_054_400  # a midnight


class Run(NamedTuple):
    """Rows, and the seconds they took: on the clock, of our process (or psql's), of the server's."""

    rows: int
    wall: float
    client: float
    server: float

    @property
    def rate(self) -> float:
        return self.rows / self.wall


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.samples", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rows: whether it works")
    parser.add_argument("--batches", type=int, default=24, help="of 64 pulls each")
    parser.add_argument("--rounds", type=int, default=3, help="of writing and copying by turns")
    options = parser.parse_args()
    batches, rounds = (2, 1) if options.quick else (options.batches, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        buckets = read(recorded(Path(folder), 30 if options.quick else 130, 20 if options.quick else 100))
        with database(Path(folder) / "data") as (server, pid):
            from bench.samples_writing import Writing

            writing = Writing(pid, list(answers(buckets, START, batches)), Path(folder) / "rows")
            pulled, parsed, copied = [], [], []
            for _ in range(rounds):
                parsed.append(writing.parse())
                pulled.append(writing.pull())
                copied.append(writing.copy_by_psql(server.url()))
            writing.pull()  # psql's rows wait for no roll-up
            folded = writing.roll_up()
    _print(pulled, parsed, copied, folded)
    return 0


def _print(pulled: list[Run], parsed: list[Run], copied: list[Run], folded: Run) -> None:
    ratio = median(run.rate for run in pulled) / median(run.rate for run in copied)
    print(f"{pulled[0].rows:,} rows of {MONITORS} monitors, by {', '.join(BY)}; the server runs beside on a core.\n")
    rows = [
        _row("COPY of the same rows by psql", _middle(copied), "-"),
        _row("pulled: answer -> normalized -> COPY", _middle(pulled), f"50 % of COPY: {verdict(ratio, HALF)}"),
        _row("of that, parsing and checking", _middle(parsed), "-"),
        _row("rolled up, base rows, all tiers", folded, _of_one_core(folded)),
    ]
    print(table(HEAD, rows))
    print(f"\nPulled rows are written at {ratio:.0%} of the speed of a plain COPY.")


def _of_one_core(run: Run) -> str:
    """Worker and server take turns: together they use one core."""
    return f"50,000 on one core: {verdict(run.rows / (run.client + run.server), FOLDED)}"


def _middle(runs: list[Run]) -> Run:
    return sorted(runs, key=lambda run: run.rate)[len(runs) // 2]


def _row(what: str, run: Run, target: str) -> tuple[str, ...]:
    seconds = tuple(f"{value:.2f}" for value in (run.wall, run.client, run.server))
    return what, f"{run.rate:,.0f}", *seconds, f"{run.rows / (run.client + run.server):,.0f}", target


@contextmanager
def database(folder: Path) -> Iterator[tuple[Any, int]]:
    """A migrated database with the server's usual settings; the server, and the process behind our connection."""
    os.environ |= {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "cclear.settings", "DEBUG": "no"}
    os.environ.setdefault("CELERY_BROKER_URL", "memory://")
    from cclear import data_dir
    from cclear.services.account import Account
    from cclear.services.postgres import Postgres

    Account.of_servers(folder).own(folder.parent)
    data_dir.prepare(folder)
    server = Postgres(folder)
    try:
        server.start()
        os.environ["DATABASE_URL"] = server.url()
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from django.db import connection

        connection.ensure_connection()
        yield server, connection.connection.get_backend_pid()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
