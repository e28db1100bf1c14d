"""The traces that are measured, made once by make_bench_trace.py of the shared folder and kept.

The same arguments give the same bytes. $CCLEAR_BENCH_TRACE names another plain trace, $CCLEAR_BENCH_DIR the folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wire.packets.pcap import PcapWriter, open_capture

SLICE_BYTES = 100_000_000
MAKER = Path(__file__).resolve().parents[2] / "shared" / "bench" / "make_bench_trace.py"
MEMORY = Path("/dev/shm")  # a memory file system, where there is one


@dataclass(frozen=True)
class Traces:
    """Four traces of one model: two whole ones, and two of the same statistics for tools that take minutes.

    Of a trace that was given there is its beginning, and no VXLAN.
    """

    quick: bool = False
    given: Path | None = None

    @property
    def plain(self) -> Path:
        if self.given:
            return _there(self.given)
        named = os.environ.get("CCLEAR_BENCH_TRACE")
        return _there(Path(named)) if named and not self.quick else self._made("trace", "1.05GB", "6MB")

    @property
    def vxlan(self) -> Path:
        return self._made("vxlan", "1.05GB", "6MB", "--vxlan")

    @property
    def slice(self) -> Path:
        if self.given:
            return self._beginning_of(_there(self.given))
        return self._made("slice", "100MB", "2MB")

    @property
    def vxlan_slice(self) -> Path:
        return self._made("vxlan-slice", "100MB", "2MB", "--vxlan")

    def _beginning_of(self, trace: Path) -> Path:
        """A given trace if it is small, else its first packets."""
        if trace.stat().st_size <= SLICE_BYTES:
            return trace
        path = _folder() / f"{trace.stem}-beginning.pcap"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_capture(trace) as reader:
            batches = iter(reader)
            first = next(batches)
            with PcapWriter(path, first.link_type) as writer:
                writer.write(first)
                while writer.bytes_written < SLICE_BYTES and (batch := next(batches, None)) is not None:
                    writer.write(batch)
        return path

    def _made(self, name: str, size: str, quick_size: str, *options: str) -> Path:
        folder, size = (_folder() / "quick", quick_size) if self.quick else (_folder(), size)
        path = folder / f"{name}.pcap"
        if path.exists():
            return path
        if not MAKER.exists():
            raise SystemExit(f"bench: no trace at {path}; make one with make_bench_trace.py, or name another")
        folder.mkdir(parents=True, exist_ok=True)
        print(f"bench: making {path} ({size}, once)", file=sys.stderr, flush=True)
        unfinished = folder / f".{name}-{os.getpid()}"
        command = [sys.executable, str(MAKER), str(unfinished), "--size", size, *options]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path


def traces_of(arguments: list[str] | None, description: str | None) -> Traces:
    """What a part of the benchmark was asked to measure: `[TRACE] [--quick]`."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("trace", type=Path, nargs="?", help="a pcap file instead of the trace of 1 GB")
    parser.add_argument("--quick", action="store_true", help="small traces: whether it works, not how fast it is")
    options = parser.parse_args(arguments)
    return Traces(options.quick, options.trace)


def _folder() -> Path:
    return Path(os.environ.get("CCLEAR_BENCH_DIR") or Path(tempfile.gettempdir()) / "cclear-bench")


def _there(path: Path) -> Path:
    if not path.exists():
        raise SystemExit(f"bench: no trace at {path}")
    return path.absolute()
