"""Speed of decode and analysis alone, one core: `python -m bench.analysis TRACE [--limit N]`.

Prints packets/s and MB/s (of the file) of reading, decoding and both together; kernels are compiled before the clock
runs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from cstor.flows.analysis import Analysis, warm_up
from wire.packets.batch import MAX_PACKETS
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import new_error_counters, new_packets
from wire.packets.pcap import open_capture


def run(trace: Path, *, decode: bool, analyze: bool, limit: int) -> tuple[int, float, Analysis]:
    """Packets that were read, seconds that it took, and the analysis with what it found."""
    out, errors, fragments = new_packets(MAX_PACKETS), new_error_counters(), new_fragment_table()
    analysis = Analysis()
    packets = 0
    begin = time.perf_counter()
    with open_capture(trace) as reader:
        for batch in reader:
            packets += batch.packets
            if decode:
                decode_batch(batch, out, errors, fragments)
            if analyze:
                analysis.feed(out[: batch.packets])
                analysis.take_seconds()
                analysis.take_sessions()
            if packets >= limit:
                break
    if analyze:
        analysis.finish()
    return packets, time.perf_counter() - begin, analysis


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--limit", type=int, default=1 << 62, help="stop after so many packets")
    arguments = parser.parse_args()
    warm_up()
    run(arguments.trace, decode=True, analyze=True, limit=1)
    share = arguments.trace.stat().st_size / 1e6
    for label, decode, analyze in (("read", False, False), ("decode", True, False), ("decode + analysis", True, True)):
        packets, seconds, analysis = run(arguments.trace, decode=decode, analyze=analyze, limit=arguments.limit)
        speed = packets / seconds
        print(
            f"{label:18} {packets:>10} packets {speed / 1e6:7.2f} M/s {1e9 / speed:7.0f} ns {share / seconds:8.0f} MB/s"
        )
    print(", ".join(f"{name} {value}" for name, value in analysis.counters().items() if value))


if __name__ == "__main__":
    main()
