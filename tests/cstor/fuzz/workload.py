"""What must harm nobody: damaged frames and files, connections that make no sense, times that cannot be.

Each function is one part of the node at work on it. They run compiled, compiled with bounds checks, and not compiled at
all (where NumPy checks the bounds): `python -m tests.cstor.fuzz.workload PART...`.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cstor.flows.analysis import Analysis, AnalysisConfig
from cstor.flows.duplicates import Duplicates
from tests.captures import CAPTURES
from tests.conformance.traffic import EPOCH, MS, connections
from wire.packets.batch import MAX_PACKETS, PacketBatch, batch_of
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import LINK_TYPES, new_error_counters, new_packets
from wire.packets.pcap import CaptureError, PcapWriter, open_capture
from wire.packets.pcapng import PcapngWriter

SECOND = 1000 * MS
YEAR = 365 * 86_400 * SECOND
MALFORMED = ("fuzzed-big-endian-sip.pcap", "broken-record-length.pcap", "cut-short.pcap")
MALFORMED += ("pcapng-mixed-endian-sections.pcapng", "ipv4-fragments-tcp-socks.pcap", "geneve-43-flows.pcap")
MALFORMED += ("qinq-gtp-rtmp.pcap", "gre-teb-http.pcap", "mpls-tcp.pcap", "dns-fragments-v4-v6.pcap")


def damaged(frame: bytes, rng: random.Random) -> bytes:
    """The frame with a few wrong bytes, maybe cut; the start of its headers is hit more often than its end."""
    broken = bytearray(frame)
    for _ in range(rng.randrange(4)):
        at = min(int(rng.expovariate(1 / 40)), len(broken) - 1)
        broken[at] = rng.choice((0, 1, 4, 6, 17, 44, 0x45, 0x60, 0xFF, rng.randrange(256)))
    return bytes(broken[: rng.choice((len(broken), len(broken), rng.randrange(len(broken) + 1)))])


def frames(count: int, seed: int) -> list[tuple[int, bytes]]:
    """Damaged frames of senseless connections and of the captures, in turns."""
    rng = random.Random(seed)
    found = connections(max(count // 60, 1), 25, seed)[:count]
    found += [(found[-1][0] + number, frame) for number, frame in enumerate(_captured(count // 2))]
    rng.shuffle(found)
    return [(time_ns, damaged(frame, rng) if rng.random() < 0.4 else frame) for time_ns, frame in found[:count]]


def _captured(count: int) -> list[bytes]:
    found: list[bytes] = []
    for name in MALFORMED if CAPTURES else ():
        found += [batch.frame(number) for batch in _batches(CAPTURES / name) for number in range(batch.packets)][:count]
    return found


def _batches(path: Path) -> list[PacketBatch]:
    """Batches of a file, as far as it can be read; each has a buffer of its own."""
    found = []
    try:
        with open_capture(path) as reader:
            found = [batch._replace(buffer=batch.buffer.copy()) for batch in reader]
    except CaptureError:
        pass
    return found


def records(count: int, seed: int) -> np.ndarray:
    """The frames decoded."""
    timed = frames(count, seed)
    out, errors, table = new_packets(MAX_PACKETS), new_error_counters(), new_fragment_table(64)
    found = []
    for start in range(0, len(timed), MAX_PACKETS):
        part = timed[start : start + MAX_PACKETS]
        batch = batch_of([frame for _, frame in part], [time_ns for time_ns, _ in part])
        decode_batch(batch, out, errors, table)
        Duplicates(3 * MS).mark(batch, out[: batch.packets])
        found.append(out[: batch.packets].copy())
    return np.concatenate(found)


def decode(count: int = 3000, seed: int = 1) -> None:
    """Each frame fills its own buffer, so that one byte too many is out of bounds; every link type."""
    rng = random.Random(seed)
    out, errors, table = new_packets(1), new_error_counters(), new_fragment_table(16)
    duplicates = Duplicates(3 * MS)
    links = sorted(LINK_TYPES)
    for time_ns, frame in frames(count, seed):
        link = 1 if rng.random() < 0.8 else rng.choice(links)
        batch = batch_of([frame], [time_ns], [rng.choice((len(frame), len(frame) + 9, 0, 2**31 - 1))], link)
        decode_batch(batch, out, errors, table)
        duplicates.mark(batch, out)


def files(count: int = 60, seed: int = 2) -> None:
    """pcap and pcapng files with wrong bytes anywhere, and cut anywhere."""
    rng = random.Random(seed)
    timed = frames(40, seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = [Path(folder) / "whole.pcap", Path(folder) / "whole.pcapng"]
        for path, writer in zip(whole, (PcapWriter, PcapngWriter), strict=True):
            with writer(path) as out:
                out.write(batch_of([frame for _, frame in timed], [time_ns for time_ns, _ in timed]))
        path = Path(folder) / "broken"
        for number in range(count):
            data = bytearray(whole[number % 2].read_bytes())
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(min(len(data), rng.choice((40, 400, len(data)))))] = rng.randrange(256)
            path.write_bytes(data[: rng.choice((len(data), rng.randrange(len(data))))])
            out, errors, table = new_packets(MAX_PACKETS), new_error_counters(), new_fragment_table(16)
            for batch in _batches(path):
                decode_batch(batch, out, errors, table)


def analyse(count: int = 4000, seed: int = 3) -> None:
    """Senseless packets with every kind of clock, in small tables, as from a file and live."""
    packets = records(count, seed)
    for live in (False, True):
        for clock in CLOCKS.values():
            timed = packets.copy()
            timed["time_ns"] = clock(timed["time_ns"], random.Random(seed))
            feed(timed, AnalysisConfig(live=live, max_flows=8192, max_rows=50))


def feed(packets: np.ndarray, config: AnalysisConfig) -> dict[str, int]:
    """All packets through an analysis in uneven parts, and everything taken out of it."""
    analysis = Analysis(config)
    at, rng = 0, random.Random(5)
    while at < len(packets):
        size = rng.choice((1, 7, 500, 3000))
        analysis.feed(packets[at : at + size])
        at += size
        if config.live:
            analysis.advance(int(packets["time_ns"][min(at, len(packets)) - 1]))
        analysis.take_seconds()
        analysis.take_sessions()
    analysis.finish()
    analysis.take_seconds()
    analysis.take_sessions()
    return analysis.counters()


Clock = Callable[[np.ndarray, random.Random], np.ndarray]


def _jumping(times: np.ndarray, rng: random.Random) -> np.ndarray:
    """Every few hundred packets somewhere else: back, forth, a year ahead, zero, and home again."""
    moved, by = times.copy(), 0
    for number in range(len(times)):
        if rng.random() < 0.01:
            by = rng.choice((0, 0, -3 * SECOND, -YEAR, YEAR, 400 * SECOND, SECOND, -int(times[number])))
        moved[number] += by
    return moved


def _single(times: np.ndarray, rng: random.Random) -> np.ndarray:
    """Single packets far off, the next ones in order."""
    moved = times.copy()
    for number in range(0, len(times), 37):
        moved[number] = rng.choice((0, 1, int(moved[number]) + YEAR, int(moved[number]) - 5 * SECOND, 2**62))
    return moved


CLOCKS: dict[str, Clock] = {
    "as it is": lambda times, rng: times,
    "zero": lambda times, rng: times * 0,
    "backwards": lambda times, rng: times[::-1],
    "jumping": _jumping,
    "single": _single,
    "slow": lambda times, rng: EPOCH + np.arange(len(times)) * 2 * SECOND,
    "negative": lambda times, rng: times - 2 * EPOCH,
}
PARTS: dict[str, Callable[[], None]] = {"decode": decode, "files": files, "analyse": analyse}
PARTS["little"] = lambda: analyse(400, 8)


def main() -> None:
    """Do some parts, and say so."""
    for name in sys.argv[1:]:
        PARTS[name]()
        print(name, flush=True)


if __name__ == "__main__":
    main()
