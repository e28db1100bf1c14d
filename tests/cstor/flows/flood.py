"""A SYN flood as arrays of records: packets of ever new tuples at one server, beside connections that go on."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass

import numpy as np

from cstor.buckets.second import OUTCOMES
from cstor.flows.analysis import Analysis, AnalysisConfig
from tests.packets import EPOCH, MS, Talk, join, tcp, words
from wire.packets.layout import SYN

PART = 65_536
KEPT = 300  # connections that are open throughout
ROUNDS = 16  # times that each of them speaks


@dataclass
class Outcome:
    """What became of it."""

    counters: dict[str, int]
    kept: list[tuple[str, int, int]]  # outcome, packets and SYNs missed of each session of the connections
    rows: int  # rows of closed seconds, at most
    grown_bytes: int  # of the process, from the first tenth of the flood to its end


def flood_part(start: int, count: int, begin_ns: int, step_ns: int) -> np.ndarray:
    """SYNs number `start`.. of as many clients, one every `step_ns`."""
    packets = np.repeat(tcp(0, "198.18.0.1", "10.9.9.9", (1024, 80), "S", 1, 0), count)
    numbers = np.arange(start, start + count, dtype=np.int64)
    mapped = words("0.0.0.0")[1]
    packets["src_lo"] = mapped + (0x20000000 + numbers // 50_000 + (numbers % 50_000) * 5_003)
    packets["src_port"] = 1024 + numbers % 50_000
    packets["seq"] = (numbers * 2_654_435_761) % 2**32
    packets["time_ns"] = begin_ns + numbers * step_ns
    assert (packets["flags"] == SYN).all()
    return packets


def run_flood(tuples: int, max_flows: int, seconds: float) -> Outcome:
    """So many SYNs within so many seconds; the connections open before it and speak in between."""
    talks = [Talk("10.1.0.1", "10.9.9.9", 2000 + number, 80, at_ms=number * 0.01) for number in range(KEPT)]
    for talk in talks:
        talk.handshake(rtt_ms=5).request()
    analysis = Analysis(AnalysisConfig(max_flows=max_flows, max_rows=20_000))
    analysis.feed(join(*talks))
    begin_ns, step_ns = EPOCH + 100 * MS, int(seconds * 1e9 / tuples)
    sessions, rows, grown, before = [], 0, 0, 0
    part = min(PART, tuples // ROUNDS)
    for number, start in enumerate(range(0, tuples, part)):
        analysis.feed(flood_part(start, min(part, tuples - start), begin_ns, step_ns))
        now_ns = begin_ns + (start + part) * step_ns
        if number % max(tuples // part // ROUNDS, 1) == 0:
            analysis.feed(join(*(_speak(talk, now_ns) for talk in talks)))
        rows = max([rows, *(len(second.keys) for second in analysis.take_seconds())])
        sessions += _kept(analysis)
        if start >= tuples // 10 and not before:
            before = _resident()
    grown = _resident() - before
    counters = analysis.counters()
    analysis.finish()
    sessions += _kept(analysis)
    return Outcome(counters, sessions, rows, grown)


def _speak(talk: Talk, now_ns: int) -> np.ndarray:
    talk.parts.clear()
    talk.now_ns = max(talk.now_ns, now_ns)
    return talk.client("PA", 10, after_ms=0).server("A", after_ms=0.001).packets


def _kept(analysis: Analysis) -> list[tuple[str, int, int]]:
    """The sessions that ended of the connections; the flood's are let go."""
    taken = analysis.take_sessions()
    if taken is None:
        return []
    ours = taken.rows[taken.rows["client_lo"] == words("10.1.0.1")[1]]
    return [
        (OUTCOMES[row["outcome"]], int(row["packets_client"] + row["packets_server"]), int(row["missing_syn"]))
        for row in ours
    ]


def _resident() -> int:
    """The most memory that this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024)
