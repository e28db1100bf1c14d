"""`lab run`: sends a scenario's packets in real time, as AWS would mirror them, and keeps the truth of what was sent.

Each packet is sent by a call of its own and gets the time of the middle of that call, which is about when it leaves the
kernel. A batch would save a few microseconds per packet, but then nobody could tell when one of it really went out, and
the truth would be spoiled by what it is meant to be free of. The socket is not connected, since a broker that is not
there yet is no reason to lose packets.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.events import MILLISECOND, SECOND, Events
from lab.hosts import Interface
from lab.scenario import Scenario
from lab.truth import Truth
from lab.truthfile import TruthFile
from lab.workload import start

LATE_MOST_NS = 10 * MILLISECOND
NAP_MOST_NS = 50 * MILLISECOND
KEEP_SLICES = 60
SUM_UP_SLICES = 6
PR_SET_TIMERSLACK = 29
TIMER_SLACK_NS = 1_000
PRIORITY = -10  # of -20 (first) to 19 (last)


@dataclass(frozen=True)
class LiveConfig:
    """What to send where; `seconds` None means until stopped."""

    scenario: Scenario
    target: tuple[str, int]
    seed: int = 1
    rate: float = 1.0
    seconds: float | None = None
    truth: Path | None = None


class Live:
    """The sender. `stop` may be called from a signal handler; `run` then ends within a twentieth of a second."""

    def __init__(self, config: LiveConfig, tell: Callable[[str], None] = lambda line: None) -> None:
        self._config = config
        self._tell = tell
        self._socket: socket.socket | None = None
        self._is_stopping = False
        self.packets = 0
        self.send_errors = 0
        self.late_ns = 0

    def stop(self) -> None:
        self._is_stopping = True

    def run(self) -> None:
        """Send until the end of the time that was asked for."""
        config = self._config
        be_on_time()
        family = socket.AF_INET6 if ":" in config.target[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as self._socket:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            began_ns = time.time_ns()
            events = Events(began_ns, config.seed)
            about = {"mode": "run", "scenario": config.scenario.name, "seed": config.seed, "rate": config.rate}
            file = TruthFile(config.truth, about, KEEP_SLICES, SUM_UP_SLICES) if config.truth else None

            def keep(part: dict[str, Any]) -> None:
                # The slice in which we began is not a whole one.
                if file is not None and part["from"] * SECOND >= began_ns:
                    file.add(part)
                    file.write(centre.hosts)

            truth = Truth(keep)
            centre = start(config.scenario, events, truth, self._send, config.rate)
            end_ns = None if config.seconds is None else began_ns + int(config.seconds * SECOND)

            def look_after_truth() -> None:
                truth.close_before(time.time_ns())
                events.after(SECOND // 2, look_after_truth)

            def report() -> None:
                self._tell(
                    f"{self.packets} packets sent, {self.send_errors} not; {self.late_ns / SECOND:.1f} s late in all"
                )
                events.after(60 * SECOND, report)

            events.after(SECOND // 2, look_after_truth)
            events.after(60 * SECOND, report)
            self._loop(events, end_ns)

    def _loop(self, events: Events, end_ns: int | None) -> None:
        while not self._is_stopping and (due_ns := events.next_ns) is not None:
            due_ns += self.late_ns
            now_ns = time.time_ns()
            if end_ns is not None and now_ns >= end_ns:
                return
            if due_ns > now_ns:
                time.sleep(min(due_ns - now_ns, NAP_MOST_NS) / SECOND)
                continue
            if now_ns - due_ns > LATE_MOST_NS:
                # The machine was busy with others: go on from here. Catching up would squeeze the gaps between packets
                # to nothing, and these gaps are what is measured.
                self.late_ns += now_ns - due_ns
            events.step()

    def _send(self, _time_ns: int, _interface: Interface, payload: bytes) -> int:
        """Hand a packet to the kernel; the time at which that was done."""
        assert self._socket is not None
        before_ns = time.time_ns()
        try:
            self._socket.sendto(payload, self._config.target)
            self.packets += 1
        except OSError:
            self.send_errors += 1
        return (before_ns + time.time_ns()) // 2


def be_on_time() -> None:
    """Let short sleeps end when they should (Linux lets them run 50 us over otherwise, prctl(2)), and go first where
    that is allowed: the lab needs a tenth of a core, and that punctually."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(TIMER_SLACK_NS), 0, 0, 0)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
