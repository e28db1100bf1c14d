"""A capture thread, turned by hand: packets of a real socket, with times that a broker made up."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from cstor import lane
from cstor.capture.reorder import ReorderWindow
from cstor.capture.reorder import warm_up as warm_up_window
from cstor.capture.vxlan import BATCH, VxlanSource
from cstor.capture.wallclock import WallClock
from cstor.engine import Engine, warm_up
from cstor.flows.analysis import AnalysisConfig
from cstor.handover import Handover
from cstor.lane import Lane
from tests.cstor.capture.frames import ethernet, tcp
from wire.packets.tunnel import geneve_heads
from wire.packets.udp import UdpSender

S = 1_000_000_000
YEAR_NS = 365 * 86_400 * S
FRAME = np.frombuffer(bytearray(ethernet(tcp("10.0.0.1", "10.0.0.2", (40000, 443)))), np.uint8)


class Turned:
    """A lane over a UDP socket; its wall clock can be set."""

    def __init__(self) -> None:
        self.source = VxlanSource("127.0.0.1:0")
        self.source.open()
        self.set_back_ns = 0
        self.clock = WallClock(lambda: time.time_ns() - self.set_back_ns)
        self.seconds: list[int] = []  # closed
        self.engine = Engine(AnalysisConfig(live=True), on_second=lambda second: self.seconds.append(second.t))
        readers = [(self.source, self.source.readers[0])]
        self.lane = Lane(0, readers, self.engine, ReorderWindow(5_000_000), None, self.clock)
        self.sender = UdpSender("127.0.0.1", self.source.port)

    def send(self, *times_ns: int) -> None:
        """Packets with these receive times of a broker; 0 is none."""
        count = len(times_ns)
        heads = geneve_heads(np.zeros(count, np.int64), np.array(times_ns, np.int64))
        self.sender.send(FRAME, np.zeros(count, np.int64), np.full(count, len(FRAME), np.int32), heads)

    def turn(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.lane.turn()
            time.sleep(0.01)

    @property
    def analysed(self) -> int:
        return self.engine.analysis.counters()["packets"]


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm_up()
    warm_up_window()
    VxlanSource().warm_up()


@pytest.fixture
def turned() -> Iterator[Turned]:
    made = Turned()
    yield made
    made.source.close()
    made.sender.close()


def test_packets_wait_out_the_window_and_the_horizon_follows_the_clock(turned: Turned) -> None:
    turned.lane.turn()
    now = time.time_ns()
    turned.send(now, now - 1_000_000, now - 2_000_000)
    turned.turn(0.2)
    assert turned.engine.decoder.packets == 3
    assert turned.lane.window.held == 0 and turned.lane.window.moved == 2
    assert 0 < time.time_ns() - turned.lane.horizon_ns < S


@pytest.mark.parametrize(
    "wrong", [lambda now: now + YEAR_NS, lambda now: 1, lambda now: now - 10 * S, lambda now: (1 << 63) - 1]
)
def test_wrong_times_are_mended_and_stall_nothing(turned: Turned, wrong) -> None:
    turned.lane.turn()
    for _ in range(5):
        now = time.time_ns()
        turned.send(now, wrong(now), now + 1000, wrong(now))
        turned.turn(0.05)
    turned.turn(0.1)
    assert turned.lane.window.clamped == 10
    assert turned.engine.decoder.packets == 20 and turned.lane.window.held == 0
    assert 0 < time.time_ns() - turned.lane.horizon_ns < S


def test_nothing_is_older_than_the_capture(turned: Turned) -> None:
    now = time.time_ns()
    turned.lane.begin_ns = now // S * S
    turned.send(now - 2 * S, now)
    turned.turn(0.1)
    assert turned.lane.window.clamped == 1


def test_what_waits_behind_packets_of_wrong_times_keeps_its_own(turned: Turned, monkeypatch) -> None:
    """As when a node that was long in starting finds packets from before its start first."""
    monkeypatch.setattr(lane, "BATCHES_PER_TURN", 1)
    now = time.time_ns()
    turned.lane.begin_ns = now // S * S - 4 * S
    for _ in range(BATCH // 16):
        turned.send(*[turned.lane.begin_ns - S] * 16)
    turned.send(*[turned.lane.begin_ns + S] * 16)
    assert turned.lane.turn()
    turned.turn(0.1)
    assert turned.engine.decoder.packets == BATCH + 16
    assert turned.lane.window.clamped == BATCH
    second = turned.lane.begin_ns // S
    assert turned.seconds == [second, second + 1]
    assert 0 < time.time_ns() - turned.lane.horizon_ns < S


def test_packets_without_a_time_of_their_own_have_the_kernel_s(turned: Turned) -> None:
    turned.lane.turn()
    turned.send(0, -5)
    turned.turn(0.1)
    assert turned.engine.decoder.packets == 2 and turned.lane.window.clamped == 0


def test_a_wall_clock_that_is_set_back_stalls_nothing(turned: Turned) -> None:
    turned.turn(0.05)
    before = turned.lane.horizon_ns
    turned.set_back_ns = 3600 * S
    turned.turn(0.3)
    assert 0.1 * S < turned.lane.horizon_ns - before < S
    turned.send(0)  # stamped by the kernel, which in truth was not set back: an hour ahead for this node
    turned.turn(0.1)
    assert turned.lane.window.clamped >= 1 and turned.lane.window.held == 0


def test_a_wall_clock_that_is_set_forward_is_followed(turned: Turned) -> None:
    turned.turn(0.05)
    turned.set_back_ns = -3600 * S
    turned.turn(0.05)
    assert turned.lane.horizon_ns - time.time_ns() > 3590 * S


def test_a_socket_that_fails_is_told_and_asked_again(turned: Turned) -> None:
    turned.lane.turn()
    messages = turned.source.receiver.messages
    messages["iov_count"] = 5000  # more than the kernel allows
    turned.send(0)
    turned.lane.turn()
    assert turned.source.state == "failed" and turned.source.problem
    messages["iov_count"] = 1
    turned.turn(0.1)
    assert turned.source.state == "capturing" and turned.engine.decoder.packets == 1


def test_calls_are_made_later_and_in_their_order() -> None:
    class Part:
        def __init__(self) -> None:
            self.got: list[object] = []

        def add(self, *what: object) -> None:
            self.got.append(what)

    class Target(Part):
        def __init__(self) -> None:
            super().__init__()
            self.part = Part()

    target = Target()
    handover = Handover(target)
    handover.add(1, 2)
    handover.part.add("x")
    handover.add(3)
    assert target.got == target.part.got == []
    handover.carry_out()
    assert target.got == [(1, 2), (3,)]
    assert target.part.got == [("x",)]
