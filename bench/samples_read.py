"""How long a panel waits for its samples: `make bench-samples ROWS=10M`, or `python -m bench.samples_read --rows 10M`.

A PostgreSQL of its own, in a folder for temporary files, is filled with a tenth of the rows, then with all of them;
each time the same panels are asked for. What a panel costs should follow what it draws, not what is stored.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import load, machine, now
from bench.table import table, verdict

# Made-believe rows need not outlive a crash. What a panel costs does not depend on these.
FILLING = {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
ROW_BYTES = 1600  # with its indexes, and the log that is kept beside it
WARM_MS, COLD_MS, SPREAD = 150, 1000, 1.2
ROUNDS, COLD_ROUNDS = 40, 3
HEAD = ("rows", "GB", "panel", "warm median ms", "p95 ms", "client CPU ms", "server CPU ms", "cold ms", "target")
METRICS = ["network_latency:p95", "server_latency:p95", "client_latency:p95"]
BY = ["client_ip", "server_ip", "server_port", "protocol"]
PANELS = {"24 h at 1 min": (86_400, 60), "30 days at 1 h": (30 * 86_400, 3600)}


class Once(NamedTuple):
    """Milliseconds of one answer: by the clock, and of CPU in the process that asks and in the server's."""

    wall: float
    client: float
    server: float


class Figures(NamedTuple):
    """Milliseconds of one panel; CPU by the median; `cold` is None where it was not measured."""

    median: float
    p95: float
    client: float
    server: float
    cold: float | None

    @property
    def cpu(self) -> float:
        return self.client + self.server


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.samples_read", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rows", type=_count, default=_count("10M"), help="10M, 100M, ... (default 10M)")
    options = parser.parse_args()
    print(f"{now()}: {machine()}\n{load()}", flush=True)
    with _server(options.rows) as restart:
        from bench.samples_made import Made, own_rows

        rows = max(options.rows, own_rows())
        small = max(rows // 10, own_rows())
        if small > rows // 10:
            print(f"The monitor in question alone has {small:,} rows: that is the small table.")
        made = Made()
        found = [_measured(made, count, restart, count == rows) for count in dict.fromkeys((small, rows))]
    return _verdicts(found)


def _count(text: str) -> int:
    return int(float(text[:-1]) * {"k": 1e3, "m": 1e6}[text[-1].lower()]) if text[-1:].isalpha() else int(text)


@contextmanager
def _server(rows: int) -> Iterator[Callable[[], bool]]:
    """A migrated database; yields what restarts it and says whether the page cache is empty too."""
    parent = Path(os.environ.get("CCLEAR_BENCH_DIR") or tempfile.gettempdir())
    needed, free = rows * ROW_BYTES + (3 << 30), shutil.disk_usage(parent).free
    print(f"Disk: about {needed / 1e9:,.0f} GB for a while, {free / 1e9:,.0f} GB are free in {parent}.", flush=True)
    if needed > free * 0.9:
        raise SystemExit("Not enough: set CCLEAR_BENCH_DIR to a folder with more, or ask for fewer ROWS")
    folder = parent / f"cclear-bench-samples-{os.getpid()}"
    os.environ |= {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "cclear.settings", "DEBUG": "no"}
    os.environ.setdefault("CELERY_BROKER_URL", "memory://")
    from cclear import data_dir
    from cclear.services.postgres import Postgres

    data_dir.prepare(folder)
    server = Postgres(folder, FILLING)
    try:
        server.start()
        os.environ["DATABASE_URL"] = server.url()
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield lambda: _restart(server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _restart(server: Any) -> bool:
    from django.db import connection

    connection.close()
    server.stop()
    os.sync()
    try:
        DROP_CACHES.write_text("3")
        dropped = True
    except OSError:
        dropped = False
    server.start()
    with connection.cursor() as cursor:  # whoever draws a panel is connected already
        cursor.execute("SELECT 1")
    return dropped


def _measured(made: Any, rows: int, restart: Callable[[], bool], is_last: bool) -> tuple[int, dict[str, Figures]]:
    """Fill the tables and ask for each panel; with cold caches only where they are full."""
    from bench.samples_made import sizes

    began = time.monotonic()
    made.fill(rows)
    stored, size = sizes()
    print(
        f"{stored:,} rows written in {time.monotonic() - began:,.0f} s, {size / 1e9:.2f} GB with indexes.", flush=True
    )
    found: dict[str, Figures] = {}
    for name in PANELS:
        warm = [_timed(made, name) for _ in range(ROUNDS)][ROUNDS // 4 :]
        walls, clients, servers = (sorted(column) for column in zip(*warm, strict=True))
        cold = _cold(made, name, restart) if is_last else None
        middle = len(walls) // 2
        found[name] = Figures(walls[middle], walls[int(len(walls) * 0.95)], clients[middle], servers[middle], cold)
    print(table(HEAD, [_row(stored, size, name, figures) for name, figures in found.items()]), flush=True)
    return stored, found


def _cold(made: Any, name: str, restart: Callable[[], bool]) -> float:
    found = []
    for _ in range(COLD_ROUNDS):
        if not restart():
            print("The page cache could not be dropped (that takes root): cold is a restarted server only.")
        found.append(_timed(made, name).wall)
    return sorted(found)[len(found) // 2]


def _row(stored: int, size: int, name: str, found: Figures) -> tuple[str, ...]:
    said = f"{WARM_MS} ms: {verdict(found.p95, WARM_MS, True)}"
    if found.cold is not None:
        said += f"; cold {COLD_MS} ms: {verdict(found.cold, COLD_MS, True)}"
    numbers = [f"{value:,.0f}" for value in found[:4]]
    cold = "-" if found.cold is None else f"{found.cold:,.0f}"
    return (f"{stored:,}", f"{size / 1e9:.2f}", name, *numbers, cold, said)


def _timed(made: Any, name: str) -> Once:
    """What it takes until the panel's Frame is there."""
    from datetime import UTC, datetime

    from django.db import connection

    from bench.samples_made import NOW, STEADY
    from dashboards.queries.run import run
    from dashboards.queries.spec import QuerySpec

    length, step = PANELS[name]
    top = {"n": STEADY, "metric": "bytes", "stat": "sum"}
    span = {"from": str(NOW - length), "to": str(NOW)}
    asked = {"monitors": [made.monitor.slug], "metrics": METRICS, "by": BY, "range": span, "step": step, "top": top}
    spec = QuerySpec.from_json(asked)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    server, client, began = _cpu_of(backend), time.process_time(), time.perf_counter()
    frame = run(spec, datetime.fromtimestamp(NOW, UTC), 1500)
    wall = time.perf_counter() - began
    client, server = time.process_time() - client, _cpu_of(backend) - server
    # Of the newest hour too little is there yet to be drawn.
    whole = [item for item in frame.series if item.n[:-1].all()]
    if len(whole) != 3 * STEADY or len(frame.times) < length // step:
        raise SystemExit(f"The answer is not what was stored: {len(whole)} lines of {len(frame.times)} steps")
    return Once(wall * 1e3, client * 1e3, server * 1e3)


def _cpu_of(pid: int) -> float:
    """Seconds on a processor so far, by the scheduler's own count."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _verdicts(found: list[tuple[int, dict[str, Figures]]]) -> int:
    """The line that compares the tables; 1 if a target is missed."""
    (few, small), (many, large) = found[0], found[-1]
    ok = all(one.p95 <= WARM_MS and (one.cold or 0) <= COLD_MS for one in large.values())
    for name in PANELS:
        ratio = large[name].cpu / small[name].cpu
        said = verdict(ratio, SPREAD, True)
        ok = ok and ratio <= SPREAD
        print(
            f"\n{name}: {many / few:.1f} x the rows cost {ratio:.2f} x the CPU time "
            f"({large[name].median / small[name].median:.2f} x by the clock); equal within 20 %: {said}"
        )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
