"""TCP of the lab: whatever the network does, both sides get every byte in order, and connections end as they should."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.events import MILLISECOND, SECOND, Events
from lab.hosts import Host, make_host
from lab.paths import Route
from lab.tcp.connection import Connection
from lab.tcp.segment import ACK, CLIENT, FIN, RST, SERVER, SYN, Segment


class Wire:
    """Sees every segment of a connection at one of its ends."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.seen: list[tuple[int, Segment]] = []

    def see(self, parcel: Segment, is_leaving: bool) -> None:
        self.seen.append((self._events.now_ns, parcel))

    def flags(self) -> list[tuple[int, int]]:
        return [(segment.side, segment.flags) for _, segment in self.seen]


class Bench:
    """A client, a server and the route between them."""

    def __init__(self, seed: int = 1, **route: float) -> None:
        self.events = Events(0, seed)
        hosts: list[Host] = [
            make_host(name, f"10.0.0.{last}", self.events.random) for last, name in ((1, "a"), (2, "b"))
        ]
        self.connection = Connection(
            self.events, hosts[0], hosts[1], 80, Route(round_trip_ns=20 * MILLISECOND, **route), version=4
        )
        self.wires = (Wire(self.events), Wire(self.events))
        for side in (CLIENT, SERVER):
            self.connection.tap(side, self.wires[side])

    def run(self, seconds: float = 120) -> None:
        self.events.run_until(int(seconds * SECOND))

    def exchange(self, request: bytes, response: bytes, done: Callable[[], None]) -> None:
        self.connection.open(
            lambda: self.connection.exchange(request, lambda reply: reply(response), done, lambda: None)
        )


def test_it_shakes_hands_in_one_round_trip() -> None:
    bench = Bench()
    opened: list[int] = []
    bench.connection.open(lambda: opened.append(bench.events.now_ns))
    bench.run(0.5)
    assert bench.wires[CLIENT].flags() == [(CLIENT, SYN), (SERVER, SYN | ACK), (CLIENT, ACK)]
    assert 20 * MILLISECOND < opened[0] < 26 * MILLISECOND


@pytest.mark.parametrize("seed", range(12))
def test_it_delivers_everything_through_a_bad_network(seed: int) -> None:
    bench = Bench(seed, loss=0.08, reorder=0.05, ns_per_byte=200.0)
    done: list[int] = []
    bench.exchange(b"q" * 4_000, b"r" * 60_000, lambda: done.append(bench.events.now_ns))
    bench.run()
    assert len(done) == 1
    ends = bench.connection.ends
    assert ends[SERVER].receiver.next == 4_001
    assert ends[CLIENT].receiver.next == 60_001


def test_it_sends_nothing_twice_when_nothing_is_lost() -> None:
    bench = Bench()
    bench.exchange(b"q" * 3_000, b"r" * 50_000, lambda: bench.connection.close(CLIENT))
    bench.run()
    for side in (CLIENT, SERVER):
        sent = [(s.seq, s.length) for _, s in bench.wires[side].seen if s.side == side and (s.length or s.flags & FIN)]
        assert len(sent) == len(set(sent))
    assert bench.connection.end_reason == "closed"
    assert [flags for _, flags in bench.wires[CLIENT].flags()].count(FIN | ACK) == 2


def test_it_resends_what_a_hole_holds_back() -> None:
    bench = Bench(3, loss=0.1)
    bench.exchange(b"q", b"r" * 200_000, lambda: None)
    bench.run()
    sent = [s.seq for _, s in bench.wires[SERVER].seen if s.side == SERVER and s.length]
    assert len(sent) > len(set(sent))
    assert bench.connection.ends[CLIENT].receiver.next == 200_001


def test_it_acknowledges_every_second_segment_and_the_last_late() -> None:
    bench = Bench()
    bench.exchange(b"q", b"r" * (1448 * 5), lambda: None)
    bench.run(1)
    acks = [(t, s.ack) for t, s in bench.wires[CLIENT].seen if s.side == CLIENT and s.flags == ACK and s.ack > 1]
    assert [ack - 1 for _, ack in acks] == [2 * 1448, 4 * 1448, 5 * 1448]
    assert acks[2][0] - acks[1][0] > 35 * MILLISECOND


def test_it_refuses_where_nobody_listens() -> None:
    bench = Bench()
    ended: list[str | None] = []
    bench.connection.refuse()
    bench.connection.open(lambda: None, lambda: ended.append(bench.connection.end_reason))
    bench.run(3)
    assert bench.wires[CLIENT].flags() == [(CLIENT, SYN), (SERVER, RST | ACK)]
    assert ended == ["reset"]


def test_it_tries_five_times_and_gives_up() -> None:
    bench = Bench()
    ended: list[str | None] = []
    bench.connection.ignore(SERVER)
    bench.connection.open(lambda: None, lambda: ended.append(bench.connection.end_reason))
    bench.run(60)
    assert [time_ns // SECOND for time_ns, _ in bench.wires[CLIENT].seen] == [0, 1, 3, 7, 15]
    assert ended == ["unanswered"]


def test_it_answers_a_reset_connection_with_resets() -> None:
    bench = Bench()
    bench.exchange(b"q", b"r" * 100_000, lambda: None)
    bench.events.at(50 * MILLISECOND, bench.connection.reset, CLIENT)
    bench.run(5)
    flags = bench.wires[CLIENT].flags()
    assert (CLIENT, RST | ACK) in flags
    assert (CLIENT, RST) in flags
    assert bench.connection.end_reason == "reset"


def test_it_tells_who_waits_that_the_connection_is_gone() -> None:
    bench = Bench()
    failed: list[bool] = []
    bench.connection.open(
        lambda: bench.connection.exchange(b"q", lambda reply: None, lambda: None, lambda: failed.append(True))
    )
    bench.events.at(100 * MILLISECOND, bench.connection.reset, SERVER)
    bench.run(2)
    assert failed == [True]
