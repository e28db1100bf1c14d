"""How long cStor takes to start: a whole command, and a node until it captures and its API answers.

Kernels are compiled once after an installation and kept; the last row compiles them anew, into a folder of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.rivals import first_packet
from bench.table import verdict
from bench.worker import ROOT

TARGET_S = 3.0
PATIENCE_S = 300.0


def starting(trace: Path, is_quick: bool) -> Iterator[tuple[str, str, str, str]]:
    """Rows for a capture of one packet, so that all of it is imports, kernels, store, and taking that down."""
    runs = 1 if is_quick else 3
    with tempfile.TemporaryDirectory(prefix="cclear-start-") as name:
        folder = Path(name)
        one = folder / "one.pcap"
        first_packet(trace, one)
        warm = min(_ingested(one, folder / f"store{number}", {}) for number in range(runs))
        yield "`python -m cstor ingest`, one packet", f"{warm:.2f} s", "kernels compiled before", _aim(warm)
        warm = min(_node_ready(folder / f"node{number}") for number in range(runs))
        yield "`python -m cstor run`, until healthz says 200", f"{warm:.2f} s", "kernels compiled before", _aim(warm)
        if not is_quick:
            cold = _ingested(one, folder / "cold", {"NUMBA_CACHE_DIR": str(folder / "kernels")})
            yield "`python -m cstor ingest` after installation", f"{cold:.1f} s", "compiles the kernels, once", "-"


def _aim(seconds: float) -> str:
    return f"under {TARGET_S:g} s: {verdict(seconds, TARGET_S, at_most=True)}"


def _ingested(capture: Path, store: Path, more: dict[str, str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "cstor", "ingest", "--store", str(store), str(capture)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, **more}, capture_output=True)
    return time.perf_counter() - began


def _node_ready(folder: Path) -> float:
    folder.mkdir()
    address, config = f"127.0.0.1:{_free_port(socket.SOCK_STREAM)}", folder / "node.toml"
    listen = f"127.0.0.1:{_free_port(socket.SOCK_DGRAM)}"
    config.write_text(
        f'name = "bench"\nstore = "store"\nlisten = "{address}"\n[[source]]\nkind = "vxlan"\nlisten = "{listen}"\n'
    )
    began = time.perf_counter()
    command = [sys.executable, "-m", "cstor", "run", "--config", str(config)]
    node = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        while not _answers(f"http://{address}/healthz"):
            if node.poll() is not None or time.perf_counter() - began > PATIENCE_S:
                raise SystemExit("bench: a node does not start")
            time.sleep(0.02)
        return time.perf_counter() - began
    finally:
        node.terminate()
        node.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _free_port(kind: socket.SocketKind) -> int:
    with closing(socket.socket(type=kind)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
