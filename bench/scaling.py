"""What grows with what: `python -m bench.scaling [TRACE] [--quick]`.

Packets (time per packet on a tenth, a half and all of the trace), connections that are open at once, cores, and the
time to start. Growth is reckoned from CPU time; two cores and starting from the clock on the wall, which an otherwise
idle machine is needed for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.analysis import analysed, get_ready, into_page_cache, measured
from bench.halves import write_halves
from bench.pinned import pin
from bench.starting import starting
from bench.table import per_packet, speed, table, verdict
from bench.traces import MEMORY, Traces, traces_of
from bench.worker import Worker, worked

HEAD = ("what", "figure", "beside", "target")
GIGABYTE = 1 << 30
Row = tuple[str, str, str, str]


def growth(trace: Path, packets: int) -> Iterator[Row]:
    """Time per packet must not depend on how many there are."""
    first = 0.0
    for share in (0.1, 0.5, 1.0):
        run = measured(trace, analysed, limit=int(packets * share), runs=2)
        each = run.cpu_s / run.packets
        first = first or each
        ratio = each / first
        aim = "-" if share == 0.1 else f"at most 1.5 x: {verdict(ratio, 1.5, at_most=True)}"
        beside = f"{ratio:.2f} x that of the first tenth"
        yield f"{share:.0%} of the trace", f"{per_packet(run.packets, run.cpu_s)} ns/packet", beside, aim


def many_connections(counts: tuple[int, ...], packets: int, core: int) -> Iterator[Row]:
    """Steady state with few and with very many open connections, on packets that differ in nothing else."""
    first = 0.0
    for count in counts:
        done = worked({core}, "connections", str(count), str(packets))
        each = done.cpu_s / done.packets
        first = first or each
        ratio = each / first
        name, memory = f"{count:,} connections open", done.memory_bytes / GIGABYTE
        is_last = count == counts[-1]
        aim = f"at most 2 x: {verdict(ratio, 2, at_most=True)}" if is_last else "-"
        yield name, f"{per_packet(packets, done.cpu_s)} ns/packet", f"{ratio:.2f} x", aim
        aim = f"at most 1 GB: {verdict(memory, 1, at_most=True)}" if is_last else "-"
        yield f"{name}: memory", f"{memory:.2f} GB", f"{done.peak_bytes / GIGABYTE:.2f} GB at the most", aim


def two_cores(trace: Path, cores: list[int], runs: int) -> Iterator[Row]:
    """Two analyses side by side on halves of the flows; the whole ingest on one core and on two. The fastest runs."""
    if len(cores) < 2:
        yield "two cores", "not measured", "only one core here", "-"
        return
    one, pair = {cores[0]}, set(cores[:2])
    with tempfile.TemporaryDirectory(prefix="cclear-halves-", dir=trace.parent) as folder:
        halves = write_halves(trace, Path(folder))
        alone, beside, threads = [], [], []
        for _ in range(runs):
            alone.append(worked(one, "analyse", trace))
            beside.append(
                _together([Worker({core}, "analyse", half) for core, half in zip(cores, halves, strict=False)])
            )
            threads.append(worked(pair, "threads", *halves).wall_s)
    packets, alone_s = alone[0].packets, min(done.wall_s for done in alone)
    yield "analysis, one core", f"{speed(packets, alone_s)} packets/s", "-", "-"
    yield _faster("analysis, two processes", packets, min(beside), alone_s)
    yield _faster("analysis, two threads of a process", packets, min(threads), alone_s)
    place = MEMORY if os.access(MEMORY, os.W_OK) else trace.parent
    label = "memory" if place == MEMORY else "disk"
    alone_s, both_s = (min(worked(which, "ingest", trace, place).wall_s for _ in range(runs)) for which in (one, pair))
    yield f"whole ingest to {label}, one core", f"{speed(packets, alone_s)} packets/s", "-", "-"
    yield _faster(f"whole ingest to {label}, two cores", packets, both_s, alone_s)


def _together(workers: list[Worker]) -> float:
    """Seconds until the slower one is done."""
    for worker in workers:
        worker.begin()
    return max(worker.done().wall_s for worker in workers)


def _faster(name: str, packets: int, seconds: float, alone_s: float) -> Row:
    ratio = alone_s / seconds
    return name, f"{speed(packets, seconds)} packets/s", f"{ratio:.2f} x one core", f"1.5 x: {verdict(ratio, 1.5)}"


def rows(traces: Traces) -> Iterator[Row]:
    """All rows; each comes when it has been measured."""
    trace, quick = traces.plain, traces.quick
    into_page_cache(trace)
    cores = sorted(os.sched_getaffinity(0))
    yield from two_cores(trace, cores, 1 if quick else 3)
    yield from starting(trace, quick)
    counts, packets = ((1_000, 20_000), 50_000) if quick else ((10_000, 100_000, 1_000_000), 4_000_000)
    yield from many_connections(counts, packets, cores[-1])
    pin()
    get_ready(trace)
    yield from growth(trace, analysed_packets(trace))


def analysed_packets(trace: Path) -> int:
    """How many packets the trace has."""
    return measured(trace, analysed, runs=1).packets


def main() -> None:
    print(table(HEAD, list(rows(traces_of(None, __doc__)))))


if __name__ == "__main__":
    main()
