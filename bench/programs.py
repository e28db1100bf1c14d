"""The programs that cStor is compared with: how each is called, what it measures, how many times it is to be beaten.

Each is called in its fastest form that still does what it is here for, its output thrown away.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN_PYTHON = ROOT / ".venv-bench" / "bin" / "python"  # nfstream's, made by `make bench`
NFSTREAM = Path(__file__).with_name("nfstream_flows.py")

FIELDS: tuple[str, ...] = ("frame.number", "tcp.stream", "tcp.analysis.ack_rtt", "tcp.analysis.initial_rtt")
FIELDS += ("tcp.analysis.retransmission", "tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission")
FIELDS += ("tcp.analysis.out_of_order", "tcp.analysis.lost_segment", "tcp.analysis.duplicate_ack")
FIELDS += ("tcp.analysis.zero_window", "tcp.analysis.window_full")


@dataclass(frozen=True)
class Program:
    """A row of the table. `command` takes the file's name and the number of a UDP port that swallows what it gets."""

    name: str
    binary: str
    measures_rtt: str
    measures_loss: str
    command: Callable[[str, int], tuple[str, ...]]
    version: tuple[str, ...]
    target: float | None = None
    is_aim: bool = False  # to be come near to, not a demand
    is_slow: bool = False  # gets the small trace, once
    sees_vxlan: bool = False
    note: str = ""

    @property
    def path(self) -> str | None:
        """Where it is; also where only root's PATH leads. None if it is not installed."""
        places = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
        return shutil.which(self.binary, path=places)

    def version_text(self) -> str:
        """Its own words about its version."""
        call = (self.path or self.binary, *self.version)
        done = subprocess.run(call, check=False, capture_output=True, text=True, timeout=60)
        for line in (done.stdout + done.stderr).splitlines():
            found = re.search(r"\d+\.\d+(\.\d+)*", line)
            if found:
                return found[0]
        return "unknown version"


def _tshark(file: str, port: int) -> tuple[str, ...]:
    return ("tshark", "-n", "-r", file, "-T", "fields", *(part for field in FIELDS for part in ("-e", field)))


def _softflowd(file: str, port: int, *options: str) -> tuple[str, ...]:
    # -d: in the foreground; neither its socket nor its pid file may stand in the way of one that runs here.
    return ("softflowd", "-d", *options, "-r", file, "-n", f"127.0.0.1:{port}", "-p", "none.pid", "-c", "none")


PROGRAMS = (
    Program(
        "tcpdump, copying",
        "tcpdump",
        "no",
        "no",
        lambda file, port: ("tcpdump", "-r", file, "-w", "/dev/null"),
        ("--version",),
        target=1.0,
        is_aim=True,
        sees_vxlan=True,
        note="reads and writes records, looks at nothing",
    ),
    Program(
        "softflowd",
        "softflowd",
        "no",
        "no",
        _softflowd,
        ("-h",),
        target=1.5,
        note="its default of 8,192 flows, so it ends most of them early",
    ),
    Program(
        "softflowd, all flows",
        "softflowd",
        "no",
        "no",
        lambda file, port: _softflowd(file, port, "-m", "1000000"),
        ("-h",),
        target=1.5,
        note="room for every flow, as cStor has",
    ),
    Program(
        "argus",
        "argus",
        "handshake",
        "counts",
        lambda file, port: ("argus", "-X", "-r", file, "-w", "/dev/null"),
        ("-h",),
        target=3.0,
        note="sleeps a second before it ends: see the wall clock",
    ),
    Program(
        "tcptrace",
        "tcptrace",
        "yes",
        "yes",
        lambda file, port: ("tcptrace", "-n", "-l", "-r", "-W", file),
        ("-version",),
        target=10.0,
        note="prints what it measured, per connection",
    ),
    Program(
        "tcptrace, brief",
        "tcptrace",
        "not printed",
        "not printed",
        lambda file, port: ("tcptrace", "-n", file),
        ("-version",),
        note="prints packets per connection only: half the time of the row above goes into its report",
    ),
    Program(
        "nfstream",
        str(OWN_PYTHON),
        "no",
        "no",
        lambda file, port: (str(OWN_PYTHON), str(NFSTREAM), file),
        ("-c", "from importlib.metadata import version; print(version('nfstream'))"),
        is_slow=True,
        note="flows of a C engine, handed to Python; no recognition of applications",
    ),
    Program(
        "tshark",
        "tshark",
        "yes",
        "yes",
        _tshark,
        ("--version",),
        target=60.0,
        is_slow=True,
        sees_vxlan=True,
        note="per packet: RTT, initial RTT, loss and window flags",
    ),
)
