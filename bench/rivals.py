"""cStor and other analysers over the same packets on one core: `python -m bench.rivals [TRACE] [--quick]`.

All in one run, one after the other on the same core, files in the page cache. Speed is packets per second of CPU time
less what the program takes for a capture of one packet, its start. Slow programs (tshark, nfstream) get a smaller
trace of the same statistics, which favours them: fewer connections, more cache hits.
"""

from __future__ import annotations

import os
import shlex
import socket
import tempfile
from pathlib import Path

from bench.analysis import analysed, get_ready, into_page_cache, measured
from bench.pinned import Cost, RunError, best, less, pin
from bench.programs import NFSTREAM, OWN_PYTHON, PROGRAMS, Program
from bench.table import megabytes, per_packet, speed, table, verdict
from bench.traces import Traces, traces_of
from wire.packets.pcap import open_capture

HEAD = ("tool", "RTT", "loss", "packets", "packets/s", "ns/packet", "MB/s", "CPU s", "wall s", "cStor is", "target")
EMPTY_CELLS = ("",) * 6


class Comparison:
    """One table: cStor against every program on one trace and its smaller sister."""

    def __init__(self, whole: Path, small: Path, runs: int, inside_vxlan: bool) -> None:
        self._runs = runs
        self._inside_vxlan = inside_vxlan
        self._files = {False: whole, True: small}
        for path in self._files.values():
            into_page_cache(path)
        self.ours = measured(whole, analysed, runs=runs)
        self._packets = {False: self.ours.packets, True: _count(small)}

    def rows(self) -> list[tuple[str, ...]]:
        """cStor first, then the programs."""
        own = self.ours
        cost = Cost(own.cpu_s, own.cpu_s, 0)
        first = ("cStor", "yes", "yes", *_figures(own.packets, self._files[False], cost), "1.00", "-")
        with tempfile.TemporaryDirectory(prefix="cclear-rivals-") as folder, _sink() as sink:
            return [first, *(self._row(program, Path(folder), sink.getsockname()[1]) for program in PROGRAMS)]

    def _row(self, program: Program, folder: Path, port: int) -> tuple[str, ...]:
        rtt, loss = program.measures_rtt, program.measures_loss
        if self._inside_vxlan and not program.sees_vxlan:
            rtt = loss = "sees UDP only"
        if program.path is None:
            return program.name, rtt, loss, "not installed", *EMPTY_CELLS, _target(program)
        try:
            cost = self._cost(program, folder, port)
        except RunError as error:
            return program.name, rtt, loss, "failed", *EMPTY_CELLS, str(error)[:60]
        packets = self._packets[program.is_slow]
        ratio = self.ours.rate / (packets / cost.cpu_s)
        figures = _figures(packets, self._files[program.is_slow], cost)
        return program.name, rtt, loss, *figures, f"{ratio:.2f} x", self._verdict(program, ratio)

    def _cost(self, program: Program, folder: Path, port: int) -> Cost:
        one = folder / "one.pcap"
        first_packet(self._files[program.is_slow], one)
        runs = 1 if program.is_slow else self._runs
        path = program.path or program.binary
        calls = [(path, *program.command(str(file), port)[1:]) for file in (one, self._files[program.is_slow])]
        return less(best(calls[1], folder, runs), best(calls[0], folder, runs))

    def _verdict(self, program: Program, ratio: float) -> str:
        if program.target is None or self._inside_vxlan:
            return "-"
        reached = verdict(ratio, program.target)
        return f"{_target(program)}: {reached.replace('NOT MET', 'not reached') if program.is_aim else reached}"


def _target(program: Program) -> str:
    if program.target is None:
        return "-"
    return f"{'aim ' if program.is_aim else ''}{program.target:g} x"


def _figures(packets: int, file: Path, cost: Cost) -> tuple[str, ...]:
    per_second = megabytes(file.stat().st_size, cost.cpu_s)
    times = (f"{cost.cpu_s:.2f}", f"{cost.wall_s:.2f}")
    return f"{packets:,}", speed(packets, cost.cpu_s), per_packet(packets, cost.cpu_s), per_second, *times


def _count(path: Path) -> int:
    with open_capture(path) as reader:
        return sum(batch.packets for batch in reader)


def first_packet(source: Path, target: Path) -> None:
    """A capture of one packet: some programs take an empty one for an error."""
    with source.open("rb") as file:
        head = file.read(24 + 16)
        target.write_bytes(head + file.read(int.from_bytes(head[32:36], "little")))


def _sink() -> socket.socket:
    """Takes flow records, so that they are neither answered by an error nor read by anyone."""
    sink = socket.socket(type=socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    return sink


def legend(core: int, traces: Traces) -> str:
    """Command lines and versions, below the tables."""
    lines = [
        f"All on core {core}, files in the page cache, output thrown away; `{traces.plain.name}` stands for the file."
    ]
    for program in PROGRAMS:
        version = program.version_text() if program.path else "not installed"
        file = traces.slice if program.is_slow else traces.plain
        command = shlex.join(program.command(file.name, 2055))
        command = command.replace(str(OWN_PYTHON), "python").replace(str(NFSTREAM), f"bench/{NFSTREAM.name}")
        lines.append(f"- {program.name} ({version}): `{command}`: {program.note}")
    return "\n".join(lines)


def main() -> None:
    traces = traces_of(None, __doc__)
    pairs = (
        [(traces.plain, traces.slice)]
        if traces.given
        else [(traces.plain, traces.slice), (traces.vxlan, traces.vxlan_slice)]
    )
    core = pin()
    os.environ["LC_ALL"] = "C"
    get_ready(traces.slice)
    speeds: list[float] = []
    for (whole, small), heading in zip(pairs, ("", ": the same connections as a cloud mirrors them"), strict=False):
        comparison = Comparison(whole, small, 1 if traces.quick else 3, inside_vxlan=bool(speeds))
        print(f"{whole.name}{heading}\n\n{table(HEAD, comparison.rows())}\n", flush=True)
        speeds.append(comparison.ours.rate)
    if len(speeds) > 1:
        share = speeds[1] / speeds[0]
        print(f"cStor inside VXLAN reaches {share:.2f} of its speed outside (target 0.8: {verdict(share, 0.8)}).\n")
    print(legend(core, traces))


if __name__ == "__main__":
    main()
