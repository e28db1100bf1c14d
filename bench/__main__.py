"""All tables of the benchmark: `make bench`, or `python -m bench [--quick] [--write] [TRACE]`.

Every figure is of this run on this machine: compare ratios within a run, not figures of different runs. `--write`
puts the tables into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from bench.machine import load, machine, now
from bench.traces import Traces

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: written by make bench OPTIONS=--write -->", "<!-- end of results -->"
QUICK = "Small traces: this shows that everything runs; figures and verdicts mean nothing.\n"


class Part(NamedTuple):
    """A module that prints a table; `takes_trace` where it reads one."""

    module: str
    title: str
    takes_trace: bool = True


PARTS = (
    Part("bench.analysis", "Decode and analysis, one core"),
    Part("bench.rivals", "Beside other analysers, one core"),
    Part("bench.scaling", "Growth, cores, start"),
    Part("bench.ingest", "Whole ingest"),
    Part("bench.live", "Live capture", takes_trace=False),
    Part("bench.series", "Series calls while capturing", takes_trace=False),
    Part("bench.samples", "Writing samples and rolling them up", takes_trace=False),
    Part("bench.pulls", "Pulls of the console", takes_trace=False),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trace", type=Path, nargs="?", help="a pcap file instead of the trace of 1 GB")
    parser.add_argument("--quick", action="store_true", help="small traces: whether it works, not how fast it is")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    names = [part.module.partition(".")[2] for part in PARTS]
    parser.add_argument("--only", action="append", choices=names, help="one table; may be given repeatedly")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("figures of --quick are not worth keeping")
    trace = Traces(options.quick, options.trace).plain  # made before anything is measured
    print(f"{now()}: {machine()}\n{QUICK if options.quick else load()}", flush=True)
    texts, failed = [], []
    for part in PARTS:
        name = part.module.partition(".")[2]
        if (options.only and name not in options.only) or not _is_there(part, options.quick):
            continue
        given = [str(trace)] if part.takes_trace and options.trace else []
        text, status = _printed(part, [*given, *(["--quick"] if options.quick else [])])
        texts.append(text)
        if status:
            failed.append(name)
    if options.write:
        write_page(PAGE, f"{now()}: {machine()}\n\n" + "\n".join(texts))
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _is_there(part: Part, is_quick: bool) -> bool:
    """Whether there is such a part; for a quick run, one that takes --quick, as each says at its top."""
    found = find_spec(part.module)
    return bool(found and found.origin and (not is_quick or "--quick" in Path(found.origin).read_text()))


def _printed(part: Part, arguments: list[str]) -> tuple[str, int]:
    """Run a part in a process of its own, so that none finds the memory or threads of another; show what it prints."""
    lines = [f"### {part.title}\n\n"]
    print(lines[0], end="", flush=True)
    command = [sys.executable, "-m", part.module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        for line in running.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    print(flush=True)
    return "".join(lines), running.returncode


def write_page(page: Path, text: str) -> None:
    """Replace what stands between the marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text.rstrip()}\n\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
