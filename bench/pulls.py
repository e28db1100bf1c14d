"""Pulls at scale: 1,000 monitors on 4 nodes, every 10 s, roll-ups running: `python -m bench.pulls [--quick]`.

PostgreSQL, Valkey, beat and the workers are those of `make run`, on a data folder of their own; the nodes are a process
that tells again what a real node was recorded to answer (bench.pulls_stub). A pull is late by the time from its due
moment to the commit of its rows. CPU time is what counts: the machine may be busy with other things.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.samples_answers import BY, STEP, Bucket, read, recorded
from bench.table import table, verdict

ROOT = Path(__file__).resolve().parents[1]
INTERVAL_S = 10
GROUPS = 100
# Each of three rankings keeps so many: together about a hundred groups.
PER_RANKING = 50
TARGET_LAG_S = 10.0
TICK = os.sysconf("SC_CLK_TCK")
# Before anything is measured every pull runs a few times: groups, partitions and what to keep are made then.
WARM_UP_PULLS = 3
WARM_UP_MOST_S = 600


class Size(NamedTuple):
    monitors: int
    nodes: int
    seconds: int
    processes: int


class Seen(NamedTuple):
    """What was seen of pulls while measuring."""

    late_s: list[float]
    behind_s: list[float]
    rows: int
    seconds: float
    waiting_runs: list[int]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pulls", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 monitors on 2 nodes: whether it works, not how fast")
    parser.add_argument("--monitors", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=120, help="for how long to measure")
    parser.add_argument("--processes", type=int, default=2, help="of the worker for pulls")
    options = parser.parse_args()
    size = Size(options.monitors, options.nodes, options.seconds, options.processes)
    return _bench(Size(20, 2, 20, 1) if options.quick else size)


def _bench(size: Size) -> int:
    with tempfile.TemporaryDirectory(prefix="cclear-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # as root the servers run as a system user
        buckets = _answers(folder)
        _services(stack, folder / "data")
        _migrate()
        stub, ports = _stub(stack, folder / "answers", size.nodes)
        _make(size, ports)
        log = stack.enter_context((folder / "log").open("w+"))
        said = {"stdout": log.fileno(), "stderr": log.fileno()}
        workers = {name: stack.enter_context(_running(command, **said)) for name, command in _commands(size)}
        processes = {**workers, "nodes (stub)": stub}
        _warm_up()
        before = _cpu(processes, folder)
        seen = _watch(size.seconds, 1.0)
        used = {name: now - before.get(name, 0.0) for name, now in _cpu(processes, folder).items()}
        _print(size, seen, used, sum(bucket.rows for bucket in buckets) / len(buckets))
        return _failed(folder)


def _failed(folder: Path) -> int:
    """Whether pulls failed, and why."""
    from monitors.models import Pull

    errors = list(Pull.objects.exclude(error="").values_list("error", flat=True))
    if errors:
        log = "".join((folder / "log").read_text().splitlines(keepends=True)[-20:])
        print(f"bench: {len(errors)} pulls failed: {errors[0]}\n{log}", file=sys.stderr)
    return 1 if errors else 0


def _answers(folder: Path) -> list[Bucket]:
    """Recorded buckets of the lab's traffic that have about as many groups as are asked for, written to a file."""
    buckets = read(recorded(folder, 60, PER_RANKING))
    buckets = buckets[2:] or buckets
    (folder / "answers").write_bytes(b"".join(bucket.frame(0, 1, STEP) for bucket in buckets))
    return buckets


def _services(stack: ExitStack, data: Path) -> None:
    """PostgreSQL and Valkey of our own, named in the environment, and Django on them."""
    for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
        os.environ.pop(name, None)
    os.environ |= {"DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "cclear.settings", "STATIC_MANIFEST": "no"}
    from cclear.services.servers import Servers, private_environment

    servers = Servers(data)
    servers.start()
    stack.callback(servers.stop)
    os.environ |= private_environment(data)
    import django

    django.setup()


def _migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _stub(stack: ExitStack, file: Path, nodes: int) -> tuple[subprocess.Popen[str], list[int]]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(nodes)]
        ports = [probe.getsockname()[1] for probe in probes]
    command = (sys.executable, "-m", "bench.pulls_stub", str(file), *map(str, ports))
    process = stack.enter_context(_running(command, stdout=subprocess.PIPE))
    assert process.stdout
    process.stdout.readline()
    return process, ports


def _make(size: Size, ports: list[int]) -> None:
    from monitors.models import Monitor, Node

    Monitor.objects.all().delete()
    Node.objects.all().delete()
    nodes = Node.objects.bulk_create(
        Node(name=f"node {number}", url=f"http://127.0.0.1:{port}") for number, port in enumerate(ports)
    )
    fields = {"keys": BY, "resolution": INTERVAL_S, "interval_s": INTERVAL_S, "top_n": GROUPS}
    monitors = Monitor.objects.bulk_create(
        Monitor(name=f"m{number}", slug=f"m{number}", **fields) for number in range(size.monitors)
    )
    for node in nodes:
        node.monitors.set(monitors)


def _commands(size: Size) -> list[tuple[str, tuple[str, ...]]]:
    """The workers and beat as `make run` starts them, the one for pulls as often as told."""
    from cclear.supervise.layout import Layout
    from cclear.supervise.processes import processes

    names = {"worker-rollups": "worker, roll-ups", "worker-jobs": "worker, the rest", "beat": "beat"}
    commands = []
    for one in processes(Layout.from_environment()):
        if one.name in names:
            commands.append((names[one.name], one.command))
        elif one.name == "worker-pulls":
            for number in range(1, size.processes + 1):
                command = tuple(word.replace("worker-pulls@", f"worker-pulls-{number}@") for word in one.command)
                commands.append((f"worker, pulls {number}", command))
    return commands


def _warm_up() -> None:
    """Until the slowest pull has run a few times."""
    from django.db import connection

    ran: dict[tuple[int, int], set[float]] = {}
    began = time.monotonic()
    while time.monotonic() - began < WARM_UP_MOST_S:
        with connection.cursor() as cursor:
            cursor.execute("SELECT monitor_id, node_id, extract(epoch FROM last_run)::float8 FROM monitors_pull")
            for monitor, node, second in cursor.fetchall():
                ran.setdefault((monitor, node), set()).update(() if second is None else (second,))
        if ran and min(map(len, ran.values())) >= WARM_UP_PULLS:
            return
        time.sleep(1.0)


@contextmanager
def _running(command: tuple[str, ...], **options: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _cpu(processes: dict[str, subprocess.Popen[str]], folder: Path) -> dict[str, float]:
    """Seconds on a processor by part, with what has ended in it."""
    from monitors.models import Node

    Node.objects.exists()  # the server's own process is there
    every = _processes()
    roots = {name: process.pid for name, process in processes.items()}
    roots["PostgreSQL"] = int((folder / "data" / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    for pid in every:
        words = Path(f"/proc/{pid}/cmdline").read_bytes() if Path(f"/proc/{pid}").exists() else b""
        if b"valkey" in words.partition(b"\0")[0] and bytes(folder) in words:
            roots["Valkey"] = pid
    return {name: _tree(every, pid) for name, pid in roots.items()}


def _processes() -> dict[int, tuple[int, float, float]]:
    """pid -> (its parent, seconds that it used, seconds of its children that have ended); see proc(5)."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        own, ended = (sum(int(value) for value in fields[at : at + 2]) / TICK for at in (11, 13))
        found[int(stat.parent.name)] = (int(fields[1]), own, ended)
    return found


def _tree(every: dict[int, tuple[int, float, float]], root: int) -> float:
    _, own, ended = every[root]
    return own + ended + sum(_tree(every, pid) for pid, (parent, _, _) in every.items() if parent == root)


def _watch(seconds: float, every_s: float) -> Seen:
    """Look at all pulls each second: from one look to the next each runs once at most."""
    from django.db import connection

    known: dict[tuple[int, int], tuple[float, float | None]] = {}
    late, behind, waiting, rows, first_rows = [], [], [], 0, None
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT monitor_id, node_id, extract(epoch FROM next_run)::float8,"
                " extract(epoch FROM last_run)::float8, upper(covered), rows FROM monitors_pull"
            )
            found = cursor.fetchall()
            cursor.execute("SELECT count(*) FROM monitors_rollup WHERE due <= now()")
            waiting.append(cursor.fetchone()[0])
        rows = sum(row[-1] for row in found)
        first_rows = rows if first_rows is None else first_rows
        for monitor, node, due, ran, until, _ in found:
            before = known.get((monitor, node))
            if before is not None and ran is not None and ran != before[1]:
                late.append(ran - before[0])
                if until is not None:
                    behind.append(ran - until)
            known[monitor, node] = (due, ran)
        time.sleep(max(0.0, every_s - (time.monotonic() - began) % every_s))
    return Seen(late, behind, rows - (first_rows or 0), time.monotonic() - began, waiting)


def _print(size: Size, seen: Seen, used: dict[str, float], groups: float) -> None:
    pulls = len(seen.late_s)
    print(f"{size.monitors} monitors on {size.nodes} nodes, every {INTERVAL_S} s, {groups:.0f} rows per answer\n")
    late = sorted(seen.late_s) or [float("nan")]
    behind = sorted(seen.behind_s) or [float("nan")]
    rows = [
        ["pulls/s", f"{pulls / seen.seconds:,.0f}", f"due {size.monitors * size.nodes / INTERVAL_S:,.0f}"],
        ["rows/s", f"{seen.rows / seen.seconds:,.0f}", ""],
        ["late by, p50", f"{_at(late, 0.5):.1f} s", "from the due moment to the commit"],
        ["late by, p99", f"{_at(late, 0.99):.1f} s", verdict(_at(late, 0.99), TARGET_LAG_S, at_most=True)],
        [
            "behind at commit, p50",
            f"{_at(behind, 0.5):.1f} s",
            "buckets of 10 s that end 2 s before the node tells them",
        ],
        ["behind at commit, p99", f"{_at(behind, 0.99):.1f} s", ""],
        ["roll-ups waiting", f"{seen.waiting_runs[-1]:,} runs", f"at the end; {max(seen.waiting_runs):,} at the most"],
    ]
    print(table(("what", "value", "note"), rows) + "\n")
    total = sum(seconds for name, seconds in used.items() if "stub" not in name)
    parts = [
        [name, f"{1000 * seconds / max(1, pulls):.2f}", f"{seconds / seen.seconds:.2f}"]
        for name, seconds in sorted(used.items(), key=lambda pair: -pair[1])
    ]
    parts.append(["all but the stub", f"{1000 * total / max(1, pulls):.2f}", f"{total / seen.seconds:.2f}"])
    print(table(("process", "CPU ms per pull", "cores"), parts) + "\n")
    per_monitor = total / max(1, pulls) * size.nodes / INTERVAL_S
    print(
        f"One core carries {1 / per_monitor:,.0f} monitors on {size.nodes} nodes at {INTERVAL_S} s, "
        "with the roll-ups that were due meanwhile."
    )


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    sys.exit(main())
