"""What monitors are answered, recorded from a real node: a store filled by the lab, asked over HTTP as pulls ask.

Every bucket of the recording is asked for by itself, as a monitor that is up to date does; `answers` then tells the
same again for later times, so that any number of rows can be written.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bench.series import ROOT, serving
from monitors.nodes.frame import MEDIA_TYPE, NUMBER, Stream

BY = ["client_ip", "server_ip", "server_port", "protocol"]
START = 1_704_067_200  # when the lab's captures begin
STEP = 10
MOST_BYTES = 1 << 30


class Bucket:
    """One recorded answer (cstor/store/answer_frame.py), ready to be told for any time."""

    def __init__(self, line: bytes, data: bytes) -> None:
        self._head = orjson.loads(line)
        self.rows: int = self._head["rows"]
        columns = len(self._head["integers"]) + len(self._head["histograms"])
        assert self._head["integers"][0] == "t"
        cut = columns * self.rows * NUMBER.itemsize
        self._numbers, self._pairs = np.frombuffer(data[:cut], NUMBER).reshape(columns, self.rows), data[cut:]
        self._repeated = lru_cache(maxsize=400)(self._repeat)

    def frame(self, start: int, buckets: int, complete: float, name: str = "") -> bytes:
        """The same rows in each of so many buckets from `start` on."""
        tail, numbers, pairs = self._repeated(buckets)
        numbers = numbers.copy()
        numbers[0] = np.repeat(np.arange(start, start + STEP * buckets, STEP), self.rows)
        told = {"id": name, "complete_until": complete, "observed": [[start, start + STEP * buckets]]}
        return orjson.dumps(told)[:-1] + tail + numbers.tobytes() + pairs

    def _repeat(self, buckets: int) -> tuple[bytes, np.ndarray, bytes]:
        """The rest of the line, numbers and pairs of so many buckets after each other."""
        numbers = np.tile(self._numbers, (1, buckets))
        stops = np.cumsum([0, *self._numbers[len(self._head["integers"]) :].sum(axis=1)]) * 4
        pairs = b"".join(self._pairs[start:stop] * buckets for start, stop in pairwise(stops.tolist()))
        rest: dict[str, Any] = {"step": STEP, "kept_from": None, "revisions": {}, "rows": self.rows * buckets}
        rest |= {key: self._head[key] for key in ("integers", "histograms")}
        rest |= {"bytes": numbers.nbytes + len(pairs)}
        rest["columns"] = {key: values * buckets for key, values in self._head["columns"].items()}
        return b"," + orjson.dumps(rest)[1:] + b"\n", numbers, pairs


def read(frames: bytes) -> list[Bucket]:
    """The answers of a call, or of a file."""
    stream, found = Stream(iter([frames]), MOST_BYTES), []
    while (line := stream.line()) is not None:
        found.append(Bucket(line, stream.take(orjson.loads(line)["bytes"])))
    return found


def recorded(folder: Path, seconds: int, limit: int) -> bytes:
    """Frames of `POST series`, one for each ten seconds of the lab's default scenario."""
    capture, store = folder / "lab.pcap", folder / "store"
    _run("lab", "pcap", "--scenario", "default", "--rate", "3", "--seconds", str(seconds), "-w", str(capture))
    _run("cstor", "ingest", "--store", str(store), str(capture))
    capture.unlink()
    starts = range(START, START + seconds - STEP, STEP)
    queries = [{"id": t, "by": BY, "from": t, "to": t + STEP, "step": STEP, "limit": limit} for t in starts]
    body = json.dumps({"queries": [{**query, "totals": True} for query in queries]}).encode()
    with serving(store) as (port, _):
        url = f"http://127.0.0.1:{port}/api/v1/series?encoding=packed"
        call = urllib.request.Request(url, body, {"Content-Type": "application/json", "Accept": MEDIA_TYPE + ", */*"})
        with urllib.request.urlopen(call) as response:
            return bytes(response.read())


def answers(buckets: list[Bucket], start: int, count: int) -> Iterator[tuple[int, bytes]]:
    """The recording told again and again as of `start` and later: (time of the bucket, frame)."""
    for number in range(count):
        t = start + STEP * number
        yield t, buckets[number % len(buckets)].frame(t, 1, t + STEP)


def _run(module: str, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{module} {words[0]} failed: {done.stderr[-500:]}")
