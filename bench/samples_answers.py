"""What monitors are answered, recorded from a real node: a store filled by the lab, asked over HTTP as pulls ask.

Every bucket of the recording is asked for by itself, as a monitor that is up to date does; `answers` then tells the
same again for later times, so that any number of rows can be written.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench.series import ROOT, serving

BY = ["client_ip", "server_ip", "server_port", "protocol"]
START = 1_704_067_200  # when the lab's captures begin
STEP = 10
_TIMES = re.compile(rb'"t":\[[0-9,]*\]')
_COMPLETE = re.compile(rb'"complete_until":[0-9.]+')
_OBSERVED = re.compile(rb'"observed":\[\[[0-9.,]*\]\]')


def recorded(folder: Path, seconds: int, limit: int) -> list[bytes]:
    """Lines of `POST series`, one for each ten seconds of the lab's default scenario."""
    capture, store = folder / "lab.pcap", folder / "store"
    _run("lab", "pcap", "--scenario", "default", "--rate", "3", "--seconds", str(seconds), "-w", str(capture))
    _run("cstor", "ingest", "--store", str(store), str(capture))
    capture.unlink()
    starts = range(START, START + seconds - STEP, STEP)
    queries = [{"id": t, "by": BY, "from": t, "to": t + STEP, "step": STEP, "limit": limit} for t in starts]
    body = json.dumps({"queries": [{**query, "totals": True} for query in queries]}).encode()
    with serving(store) as (port, _):
        url = f"http://127.0.0.1:{port}/api/v1/series?encoding=packed"
        call = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(call) as response:
            return [line for line in response.read().splitlines() if line]


def answers(lines: list[bytes], start: int, count: int) -> Iterator[tuple[int, bytes]]:
    """The recording told again and again as of `start` and later: (time of the bucket, line)."""
    for number in range(count):
        t, line = start + STEP * number, lines[number % len(lines)]
        rows = line.count(b",", *_TIMES.search(line).span()) + 1  # type: ignore[union-attr]
        line = _TIMES.sub(b'"t":[%s]' % b",".join([b"%d" % t] * rows), line)
        line = _COMPLETE.sub(b'"complete_until":%d' % (t + STEP), line)
        yield t, _OBSERVED.sub(b'"observed":[[%d,%d]]' % (t, t + STEP), line)


def _run(module: str, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{module} {words[0]} failed: {done.stderr[-500:]}")
